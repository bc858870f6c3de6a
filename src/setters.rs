//! Builder methods of options: one for each field, by the field's own name.

/// `setters!(Options, level: plain(f64), name: into(String), exact: some(bool))` gives `Options::level(self, f64)` and so
/// on: a value, what converts into one, or what an `Option` holds. A type with a lifetime is written
/// `setters!(['a] Names<'a>, ...)`.
macro_rules! setters {
    ([$($life:lifetime)?] $type:ty, $($field:ident: $kind:ident($value:ty)),+ $(,)?) => {
        impl$(<$life>)? $type {
            $($crate::setters::setters!(@$kind $field $value);)+
        }
    };
    (@plain $field:ident $value:ty) => {
        #[doc = concat!("Sets `", stringify!($field), "`; the field of this name says what it is.")]
        #[must_use]
        pub fn $field(mut self, $field: $value) -> Self {
            self.$field = $field;
            self
        }
    };
    (@into $field:ident $value:ty) => {
        #[doc = concat!("Sets `", stringify!($field), "`; the field of this name says what it is.")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$value>) -> Self {
            self.$field = $field.into();
            self
        }
    };
    (@some $field:ident $value:ty) => {
        #[doc = concat!("Sets `", stringify!($field), "`; the field of this name says what it is.")]
        #[must_use]
        pub fn $field(mut self, $field: $value) -> Self {
            self.$field = Some($field);
            self
        }
    };
    ($type:ty, $($rest:tt)+) => {
        $crate::setters::setters!([] $type, $($rest)+);
    };
}
pub(crate) use setters;
