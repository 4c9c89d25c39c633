//! Finds routes in the files of a folder.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A file that is a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteFile {
    /// Absolute, or relative to the current folder.
    pub(crate) path: PathBuf,
    /// The path in the scanned folder, with slashes and without the ending; `""` for its index.
    pub(crate) name: String,
    /// The pattern, with the base.
    pub(crate) pattern: String,
}

/// The contents of a folder.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Sorted by name.
    pub(crate) files: Vec<RouteFile>,
    /// Sorted by folder.
    pub(crate) layers: Vec<LayersFile>,
}

/// A file whose layers apply to all routes of its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayersFile {
    pub(crate) path: PathBuf,
    /// The folder's path in the scanned one, as in the names of its routes; `""` for the scanned
    /// folder.
    pub(crate) folder: String,
}

impl LayersFile {
    /// Returns whether a route or folder is inside this folder.
    pub(crate) fn is_above(&self, name: &str) -> bool {
        let below = name.strip_prefix(self.folder.as_str());
        below.is_some_and(|below| {
            self.folder.is_empty() || below.is_empty() || below.starts_with('/')
        })
    }
}

/// The name of the file with a folder's layers.
const LAYERS: &str = "_layers.rs";

/// A folder that cannot be turned into routes, with the file that is the reason.
///
/// ```
/// use crossws_codegen::{ScanError, routes};
///
/// let error = routes("no/such/folder").generate().unwrap_err();
/// assert!(matches!(error, ScanError::Read { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The folder or a part of it cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder that cannot be read.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A name that is not a valid segment of a pattern.
    #[error("{} is not a route: {why}", path.display())]
    Name {
        /// The file or folder with this name.
        path: PathBuf,
        /// Why the name is invalid.
        why: String,
    },
    /// Two files that have the same route.
    #[error("{} and {} are both routes for `{pattern}`", first.display(), second.display())]
    Conflict {
        /// The first file.
        first: PathBuf,
        /// The second file.
        second: PathBuf,
        /// The pattern of the second file.
        pattern: String,
    },
    /// A base path that is not a valid pattern.
    #[error("the base `{0}` is not a pattern: write a path such as `/api/ws`")]
    Base(String),
}

/// Returns the routes of a folder, and their layers.
pub(crate) fn scan(folder: &Path, base: &str) -> Result<Found, ScanError> {
    let base = base.trim_matches('/');
    let mut found = Found::default();
    visit(folder, "", &mut found)?;
    let Found { files, layers } = &mut found;
    files.sort_by(|one, other| one.name.cmp(&other.name));
    layers.sort_by(|one, other| one.folder.cmp(&other.folder));
    for file in files.iter_mut() {
        file.pattern = join(base, &file.pattern);
    }
    check_base(base)?;
    check_params(files)?;
    check_conflicts(files)?;
    Ok(found)
}

fn visit(folder: &Path, above: &str, found: &mut Found) -> Result<(), ScanError> {
    let unreadable = |source| ScanError::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let wrong = |why: String| ScanError::Name {
            path: path.clone(),
            why,
        };
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(wrong("its name is not UTF-8".to_owned()));
        };
        if name == LAYERS {
            found.layers.push(LayersFile {
                folder: above.to_owned(),
                path,
            });
            continue;
        }
        if name.starts_with(['_', '.']) {
            continue;
        }
        if path.is_dir() {
            segment(name).map_err(wrong)?;
            visit(&path, &join_name(above, name), found)?;
        } else if let Some(name) = name.strip_suffix(".rs") {
            let name = match name {
                "index" => above.to_owned(),
                "mod" => return Err(wrong("the route of a folder is its `index.rs`".to_owned())),
                name => {
                    segment(name).map_err(wrong)?;
                    join_name(above, name)
                }
            };
            found.files.push(RouteFile {
                pattern: pattern(&name).map_err(wrong)?,
                name,
                path,
            });
        }
    }
    Ok(())
}

fn join_name(above: &str, name: &str) -> String {
    match above {
        "" => name.to_owned(),
        above => format!("{above}/{name}"),
    }
}

pub(crate) fn join(base: &str, pattern: &str) -> String {
    match (base, pattern) {
        ("", "") => "/".to_owned(),
        ("", pattern) => format!("/{pattern}"),
        (base, "") => format!("/{base}"),
        (base, pattern) => format!("/{base}/{pattern}"),
    }
}

/// Returns the pattern of a name, without the base.
fn pattern(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Ok(String::new());
    }
    let segments = name.split('/').map(segment);
    Ok(segments.collect::<Result<Vec<_>, _>>()?.join("/"))
}

/// Returns one segment of a pattern from a file's name, as `{id}` or `{*rest}`.
fn segment(name: &str) -> Result<String, String> {
    let Some((prefix, inside)) = name.split_once('[') else {
        return literal(name).map(str::to_owned);
    };
    let Some((param, suffix)) = inside.split_once(']') else {
        return Err("the brackets of its name do not match".to_owned());
    };
    let (star, param) = match param.strip_prefix("...") {
        Some(param) => ("*", param),
        None => ("", param),
    };
    let is_name_char = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if param.is_empty() || param.starts_with('-') || !param.chars().all(is_name_char) {
        return Err(format!(
            "`{param}` is not a parameter's name: use letters, digits, `_` and `-`"
        ));
    }
    let is_whole = prefix.is_empty() && suffix.is_empty();
    if !star.is_empty() && !is_whole {
        return Err("`[...name]` must be the whole name".to_owned());
    }
    if suffix.contains('[') {
        return Err("a name has at most one parameter".to_owned());
    }
    Ok(format!(
        "{}{{{star}{param}}}{}",
        if prefix.is_empty() {
            ""
        } else {
            literal(prefix)?
        },
        if suffix.is_empty() {
            ""
        } else {
            literal(suffix)?
        },
    ))
}

/// Returns a literal part of a name. It may only have characters that a URL does not encode.
pub(crate) fn literal(name: &str) -> Result<&str, String> {
    let is_unreserved = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    match name.chars().find(|c| !is_unreserved(*c)) {
        Some(wrong) => Err(format!(
            "its name has `{}`; use letters, digits, `-`, `_`, `.`, `~`, or a parameter in brackets",
            wrong.escape_debug()
        )),
        None => Ok(name),
    }
}

pub(crate) fn check_base(base: &str) -> Result<(), ScanError> {
    let pattern = join(base, "");
    if pattern.matches('{').count() > MAX_PARAMS {
        // The matcher would panic on more of them.
        return Err(ScanError::Base(base.to_owned()));
    }
    let is_pattern = !pattern.contains(['[', ']', '?', '#', '*']) && !pattern.contains("//");
    match matchit::Router::new().insert(pattern, ()) {
        Ok(()) if is_pattern => Ok(()),
        _ => Err(ScanError::Base(base.to_owned())),
    }
}

/// Checks that no pattern has two parameters of one name, or a segment after a catch-all.
fn check_params(files: &[RouteFile]) -> Result<(), ScanError> {
    for file in files {
        let wrong = |why: String| ScanError::Name {
            path: file.path.clone(),
            why,
        };
        let mut names = Vec::new();
        for segment in file.pattern.split('/') {
            let Some((_, inside)) = segment.split_once('{') else {
                continue;
            };
            let name = inside.split('}').next().unwrap_or_default();
            let name = name.trim_start_matches('*');
            if names.contains(&name) {
                return Err(wrong(format!("two parameters have the name `{name}`")));
            }
            names.push(name);
        }
        if let Some((before, _)) = file.pattern.rsplit_once('/')
            && before.contains("{*")
        {
            return Err(wrong("nothing may be below `[...name]`".to_owned()));
        }
        if names.len() > MAX_PARAMS {
            return Err(wrong(format!("it has more than {MAX_PARAMS} parameters")));
        }
    }
    Ok(())
}

/// The number of parameters that the router supports.
const MAX_PARAMS: usize = 25;

pub(crate) fn check_conflicts(files: &[RouteFile]) -> Result<(), ScanError> {
    let mut matcher = matchit::Router::new();
    for (index, file) in files.iter().enumerate() {
        if matcher.insert(file.pattern.as_str(), ()).is_ok() {
            continue;
        }
        let conflicts = |other: &&RouteFile| {
            let mut two = matchit::Router::new();
            let inserted = two.insert(other.pattern.as_str(), ());
            inserted.is_ok() && two.insert(file.pattern.as_str(), ()).is_err()
        };
        let Some(other) = files[..index].iter().find(conflicts) else {
            return Err(ScanError::Name {
                path: file.path.clone(),
                why: format!("`{}` is not a pattern", file.pattern),
            });
        };
        return Err(ScanError::Conflict {
            first: other.path.clone(),
            second: file.path.clone(),
            pattern: file.pattern.clone(),
        });
    }
    Ok(())
}
