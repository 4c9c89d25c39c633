//! Text of an app as it may stand in generated code, which it must not leave.

use std::fmt::Write;

/// Returns whether a character may be a danger in a page or a mark that hides what a line says: it is
/// written as an escape. `<` could end the script that a page contains the code in; U+2028 and U+2029 end
/// lines; controls of writing direction let code look like other code.
fn is_escaped(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '<' | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

/// Returns a literal of JavaScript.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            // All of these are in the first plane.
            c if is_escaped(c) => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// Returns a comment for what follows it, in lines with this indentation; empty for an empty text.
pub(super) fn comment(text: &str, indent: &str) -> String {
    let mut safe = String::new();
    for c in text.trim().chars() {
        match c {
            '\n' => safe.push('\n'),
            // The two ways out of a comment: its end, and the end of a script in a page.
            '/' if safe.ends_with('*') => safe.push_str("\\/"),
            '<' => safe.push('<'),
            '/' | '!' if safe.ends_with('<') => safe.extend(['\\', c]),
            '\r' | '\t' => safe.push(' '),
            c if is_escaped(c) => {
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    let lines: Vec<_> = safe.lines().map(str::trim_end).collect();
    match lines[..] {
        [] => String::new(),
        [line] => format!("{indent}/** {line} */\n"),
        _ => {
            let lines = lines.iter().map(|line| match line.is_empty() {
                true => format!("{indent} *\n"),
                false => format!("{indent} * {line}\n"),
            });
            format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
        }
    }
}

/// Returns a literal part of a path as a URL has it. A `%` begins an escape already.
pub(super) fn url(literal: &str) -> String {
    let mut url = String::new();
    for byte in literal.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => url.push(byte.into()),
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b','
            | b';' | b'=' | b':' | b'@' | b'%' => url.push(byte.into()),
            byte => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_cannot_be_left() {
        assert_eq!(literal("a\"\\b"), r#""a\"\\b""#);
        assert_eq!(
            literal("</script>\u{2028}`${x}`"),
            "\"\\u003c/script>\\u2028`${x}`\""
        );
        assert_eq!(literal("\r\n\0\u{202e}é"), "\"\\u000d\\n\\u0000\\u202eé\"");
    }

    #[test]
    fn a_comment_cannot_be_left() {
        assert_eq!(comment("one", "  "), "  /** one */\n");
        assert_eq!(comment("a */ b", ""), "/** a *\\/ b */\n");
        assert_eq!(comment("</script><!--", ""), "/** <\\/script><\\!-- */\n");
        assert_eq!(
            comment("a\n\nb\u{2029}*/", ""),
            "/**\n * a\n *\n * b\\u2029*\\/\n */\n"
        );
        assert_eq!(comment("ends with *", ""), "/** ends with * */\n");
        assert_eq!(comment(" \n ", ""), "");
    }

    #[test]
    fn a_path_is_encoded_once() {
        assert_eq!(
            url("caf\u{e9} %2F\"'`{}<>"),
            "caf%C3%A9%20%2F%22%27%60%7B%7D%3C%3E"
        );
    }
}
