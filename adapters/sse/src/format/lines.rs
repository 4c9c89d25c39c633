use bytes::{BufMut, BytesMut};

/// Writes a text as lines with this field's name. CR LF, LF and CR each end a line, as they do for
/// the client: an end of line that stayed in a value would let a text forge fields. An empty text
/// is one empty line.
pub(crate) fn put_lines(to: &mut BytesMut, field: &str, text: &str) {
    // By one character at a time, which is a fast search.
    let mut parts = text.split('\n').peekable();
    while let Some(part) = parts.next() {
        let before_lf = parts.peek().and_then(|_| part.strip_suffix('\r'));
        for line in before_lf.unwrap_or(part).split('\r') {
            put_field(to, field, line);
        }
    }
}

/// Writes a field. The value contains no end of a line.
pub(crate) fn put_field(to: &mut BytesMut, field: &str, value: &str) {
    to.reserve(field.len() + value.len() + 3);
    to.put_slice(field.as_bytes());
    // The client removes one space. A value may begin with another.
    to.put_slice(b": ");
    to.put_slice(value.as_bytes());
    to.put_u8(b'\n');
}
