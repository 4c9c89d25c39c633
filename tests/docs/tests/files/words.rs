//! Names of types and texts of closes: each is written once.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Files, code_of, libraries, read};

/// Returns the names of the types that a file defines, outside of functions and tests.
fn types(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter_map(|line| {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_item = line.starts_with(char::is_alphabetic);
        let kinds = ["struct", "enum", "union", "trait", "type"];
        words.find(|word| is_item && kinds.contains(word))?;
        words.next()
    })
}

#[test]
fn no_two_types_of_a_library_share_a_name() {
    let mut all = 0;
    for library in libraries() {
        let mut files = Files::new();
        read(&library.join("src"), "", &mut files);
        let mut owners: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let library_files = files.iter().filter(|(module, _)| !module.contains("tests"));
        for (module, text) in library_files {
            for name in types(&code_of(text)) {
                owners.entry(name.to_owned()).or_default().insert(module);
            }
        }
        all += owners.len();
        owners.retain(|_, files| files.len() > 1);
        assert!(owners.is_empty(), "{}: {owners:#?}", library.display());
    }
    assert!(all > 600, "{all}");
}

#[test]
fn types_are_found() {
    let code =
        "pub(crate) struct A<T>(T);\nenum B {\n    type C = D;\n}\nuse x::type_of;\ntype E = B;";
    assert!(types(code).eq(["A", "B", "E"]));
}

/// A text that closes, and also says something else in this file.
const ALSO: [(&str, &str); 1] = [("internal error", "calls::dispatch")];

/// Returns the texts that stand after a close code.
fn close_texts(code: &str) -> impl Iterator<Item = &str> {
    code.split("CloseCode::").skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_');
        let text = rest.strip_prefix(',')?.trim_start().strip_prefix('"')?;
        text.split('"').next().filter(|text| !text.is_empty())
    })
}

#[test]
fn each_close_text_is_written_once() {
    let mut codes = Vec::new();
    for library in libraries() {
        let mut files = Files::new();
        read(&library.join("src"), "", &mut files);
        files.retain(|module, _| !module.contains("tests") && !module.ends_with("model"));
        codes.extend(
            files
                .into_iter()
                .map(|(module, text)| (module, code_of(&text))),
        );
    }
    let texts: Vec<_> = codes
        .iter()
        .flat_map(|(_, code)| close_texts(code))
        .collect();
    assert!(texts.len() > 15, "{texts:?}");
    for text in texts {
        let literal = format!("\"{text}\"");
        let count =
            |(module, code): &(String, String)| match ALSO.contains(&(text, module.as_str())) {
                true => 0,
                false => code.matches(&literal).count(),
            };
        assert_eq!(codes.iter().map(count).sum::<usize>(), 1, "{text}");
    }
}

#[test]
fn close_texts_are_found() {
    let code = "A::new(CloseCode::TOO_BIG, \"long\"); b(\n CloseCode::AWAY,\n \"go\",\n); c(CloseCode::NORMAL, \"\")";
    assert!(close_texts(code).eq(["long", "go"]));
}
