//! Whether the files that are open are still those at their paths.
//!
//! A file that is open lives on when its name is taken away or given to another file: SQLite would go on writing to it,
//! and nobody would ever find what was written. The same holds for its -wal, which has the latest events, and its -shm,
//! through which processes see each other's locks. Inode numbers tell files apart on Unix; elsewhere a file that is
//! open keeps its name.

use std::path::{Path, PathBuf};

use crate::{Error, Fault, Result};

/// What tells a file from all others of the machine, however it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Identity {
    /// The identity of the file at a path, links followed; nothing where there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let about = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Some(Self { device: about.dev(), inode: about.ino() })
        }
        #[cfg(not(unix))]
        {
            about.is_file().then_some(Self {})
        }
    }
}

/// The files of an open ledger.
#[derive(Debug)]
pub(super) struct Place {
    /// The path as it was given, which a change of the working folder does not move, with the file it led to.
    given: (PathBuf, Identity),
    /// Where SQLite keeps the -wal and the -shm, once they are there, with the files they were.
    beside: Vec<(PathBuf, Identity)>,
}

impl Place {
    /// The place of a file that has just been opened; `before` is what was there before that.
    ///
    /// # Errors
    /// [`Error::Ledger`] where no file is there, as for a database in memory, or another one than before.
    pub fn new(path: &Path, before: Option<Identity>) -> Result<Self> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match Identity::of(&path) {
            Some(now) if before.is_none_or(|before| before == now) => {
                Ok(Self { given: (path, now), beside: Vec::new() })
            }
            _ => Err(moved(&path, "the file was moved, removed or replaced while it was opened")),
        }
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.given.0
    }

    /// Refuses to go on where a path leads to another file than the one that is open, or to none.
    ///
    /// # Errors
    /// [`Error::Ledger`] that names the path and says `consequence`.
    pub fn check(&mut self, database: Option<&str>, consequence: &str) -> Result<()> {
        if self.beside.is_empty() {
            // SQLite makes both with the first transaction and keeps them as long as anybody has the ledger open.
            self.beside = ["-wal", "-shm"]
                .into_iter()
                .filter_map(|end| {
                    let path = PathBuf::from(format!("{}{end}", database?));
                    Identity::of(&path).map(|found| (path, found))
                })
                .collect();
        }
        for (path, opened) in std::iter::once(&self.given).chain(&self.beside) {
            if Identity::of(path).as_ref() != Some(opened) {
                return Err(moved(
                    path,
                    &format!(
                        "the file was moved, removed or replaced while the ledger was open: {consequence}"
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn moved(path: &Path, problem: &str) -> Error {
    Fault::new(problem)
        .values([path.display().to_string()])
        .remedy(
            "Put the file and its -wal back in their place, or open the ledger that is there now; a request id keeps \
             a second try from enrolling twice",
        )
        .ledger()
}
