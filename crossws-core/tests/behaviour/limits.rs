//! `docs/limits.md` lists every limit with the default that the code has.

use crossws_core::Limits;

/// Returns a default in the form of the table.
fn written(debug: &str) -> String {
    let inner = |prefix: &str| debug.strip_prefix(prefix)?.strip_suffix(')');
    if debug == "None" {
        "none".to_owned()
    } else if let Some(number) = inner("At(") {
        let number: usize = number.parse().unwrap();
        match number {
            n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
            n if n >= 1000 => format!("{},{:03}", n / 1000, n % 1000),
            n => n.to_string(),
        }
    } else if let Some(seconds) = inner("Some(").unwrap_or(debug).strip_suffix('s') {
        format!("{seconds} s")
    } else {
        format!("`{debug}`")
    }
}

#[test]
fn the_documents_table_says_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/limits.md");
    let page = std::fs::read_to_string(path).unwrap();
    let table: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.strip_suffix('`')?;
            // Other types' bounds are on the page, too.
            if name.contains("::") {
                return None;
            }
            Some((name.to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    let debug = format!("{:?}", Limits::default());
    let fields = debug.strip_prefix("Limits { ").unwrap();
    let fields = fields.strip_suffix(" }").unwrap().split(", ");
    let code: Vec<(String, String)> = fields
        .map(|field| field.split_once(": ").unwrap())
        .map(|(name, default)| (name.to_owned(), written(default)))
        .collect();
    assert_eq!(table, code);
}
