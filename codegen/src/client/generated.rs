use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Generated files, which [`write`](Self::write) writes and [`check`](Self::check) compares.
///
/// ```no_run
/// use crossws_app::Router;
///
/// # fn routes() -> Router { Router::new() }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = crossws_codegen::typescript(&routes().describe()?);
/// match std::env::args().any(|arg| arg == "--check") {
///     true => client.check("web/src")?, // in CI: the file in the repository is the latest
///     false => client.write("web/src")?,
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "`write` writes the files"]
pub struct Generated {
    /// Names and contents.
    files: Vec<(&'static str, String)>,
}

impl Generated {
    pub(crate) fn new(files: Vec<(&'static str, String)>) -> Self {
        Self { files }
    }

    /// Returns the files' names and contents.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// Writes the files into a folder, which is created if it does not exist. A file that has its content
    /// already is left alone, so that no tool sees a change.
    ///
    /// # Errors
    /// If the folder or a file cannot be written. The error names it.
    pub fn write(&self, folder: impl AsRef<Path>) -> io::Result<()> {
        let folder = folder.as_ref();
        let at = |path: &Path, error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        };
        fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        for (name, text) in &self.files {
            let path = folder.join(name);
            if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
                continue;
            }
            fs::write(&path, text).map_err(|error| at(&path, error))?;
        }
        Ok(())
    }

    /// Checks that the files in a folder are the generated ones: for an app's tests and CI. Line ends may
    /// be those of Windows.
    ///
    /// # Errors
    /// [`CheckError`] names the first file that is missing or differs, and shows where.
    pub fn check(&self, folder: impl AsRef<Path>) -> Result<(), CheckError> {
        for (name, text) in &self.files {
            let path = folder.as_ref().join(name);
            let found = match fs::read_to_string(&path) {
                Ok(found) => found.replace("\r\n", "\n"),
                Err(source) if source.kind() == io::ErrorKind::NotFound => {
                    return Err(CheckError::Missing { path });
                }
                Err(source) => return Err(CheckError::Read { path, source }),
            };
            if let Some(difference) = Difference::between(&found, text) {
                return Err(CheckError::Stale { path, difference });
            }
        }
        Ok(())
    }
}

/// A generated file that is not what the app's routes generate: see [`Generated`]. `Debug` shows the same
/// text as `Display`, because it is what a `main` prints that returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no such file.
    #[error("{} does not exist; generate it", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file's content is another.
    #[error("{} is not what the routes generate; generate it again\n{difference}", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// The lines that differ.
        difference: Difference,
    },
}

impl fmt::Debug for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The lines of a file that differ from the generated ones. `Display` shows them as a unified diff of one
/// hunk, which is cut if it is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The number of the first line that differs, from 1.
    line: usize,
    /// The equal lines before it.
    before: Vec<String>,
    found: Vec<String>,
    generated: Vec<String>,
}

impl Difference {
    /// Returns the lines between the equal beginning and the equal end.
    fn between(found: &str, generated: &str) -> Option<Self> {
        if found == generated {
            return None;
        }
        // With their ends, so that a missing end of the last line is a difference.
        let one: Vec<_> = found.split_inclusive('\n').collect();
        let other: Vec<_> = generated.split_inclusive('\n').collect();
        let pairs = one.iter().zip(&other);
        let start = pairs.take_while(|(one, other)| one == other).count();
        let (one, other) = (one.split_at(start), other.split_at(start));
        let pairs = one.1.iter().rev().zip(other.1.iter().rev());
        let end = pairs.take_while(|(one, other)| one == other).count();
        let lines = |lines: &[&str], end: usize| {
            let lines = &lines[..lines.len() - end];
            lines.iter().map(|line| (*line).to_owned()).collect()
        };
        Some(Self {
            line: start + 1,
            before: lines(&one.0[start.saturating_sub(CONTEXT)..], 0),
            found: lines(one.1, end),
            generated: lines(other.1, end),
        })
    }

    /// Returns the number of the first line that differs, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

/// The number of equal lines that are shown before a difference.
const CONTEXT: usize = 3;

/// The number of lines that are shown of each side.
const MOST: usize = 12;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.line - self.before.len();
        let count = |lines: &[String]| self.before.len() + lines.len();
        let (found, generated) = (count(&self.found), count(&self.generated));
        write!(f, "@@ -{first},{found} +{first},{generated} @@")?;
        for line in &self.before {
            write!(f, "\n {}", line.trim_end())?;
        }
        for (sign, lines) in [('-', &self.found), ('+', &self.generated)] {
            for line in lines.iter().take(MOST) {
                write!(f, "\n{sign}{}", line.trim_end_matches('\n').escape_debug())?;
            }
            if let Some(more) = lines.len().checked_sub(MOST).filter(|more| *more > 0) {
                write!(f, "\n{sign} … and {more} more lines")?;
            }
        }
        Ok(())
    }
}
