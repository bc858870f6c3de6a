//! Cost-benefit lines worked out exactly from named inputs, each compared with what a report printed.
//!
//! A line is an expression over inputs and other lines: `+ - * /`, parentheses, numbers as printed (`0.54`, `14.3%`)
//! and `round(x, places)`, half away from nil, for a report that went on with a rounded figure
//! (`places` may be negative: `round(x, -2)` is to hundreds). Arithmetic is in exact fractions, so a value is right
//! to the penny and a printed figure is known to be exact, rounded or cut off:
//!
//! ```text
//! exact       printed = value
//! rounded     printed = value rounded to the decimals that are printed, halves away from nil
//! cut off     printed = value without its further decimals
//! either      both of these
//! differs     none of these
//! ```
//!
//! * [`work_out`]: the values, exact, and the agreement;
//! * [`simulate`]: the same lines over draws of what is uncertain;
//! * [`Draws::decide`]: arms compared by cost and effect, over what an effect is worth;
//! * [`prices`]: price years and discounting.
//!
//! Source of the worked example: C. Heal, M. Nolan and M. Sanders, *Project Crewe: research report*, Department for
//! Education, DFE-RR580, 2017, Appendix 9.

mod decision;
mod drawing;
mod draws;
mod formula;
mod line;
mod order;
pub mod prices;
mod program;
mod quantity;
mod worked;

pub use super::exact::Exact;
pub use decision::{Arms, Choice, Compared, Decision};
pub use drawing::simulate;
pub use draws::{Draws, Summary, Swing, Tornado};
pub use line::{Input, Line};
pub use quantity::{Joint, Quantity, Uncertainty};
pub use worked::{Agreement, Worked, work_out};
