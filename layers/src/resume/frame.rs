//! Encodes events as SSE frames.

use bytes::Bytes;

use crate::json;

const ID: &[u8] = b"id: ";
const EVENT: &[u8] = b"event: ";
const DATA: &[u8] = b"data: ";

/// Encodes an event as one SSE frame, in an allocation of exactly its size.
///
/// Without `id` the frame has no `id:` line and does not change a client's last event id. With an empty `name` it
/// has no `event:` line. SSE has three line breaks (`\n`, `\r\n`, `\r`): each of them in `data` starts a further
/// `data:` line and reaches the client as `\n`; in `name` they are dropped. So neither `data` nor `name` can end
/// the frame or forge a field.
///
/// ```
/// use agent_webkit_layers::resume::encode_frame;
///
/// assert_eq!(encode_frame(Some(7), "result", b"{}"), "id: 7\nevent: result\ndata: {}\n\n");
/// assert_eq!(encode_frame(None, "", b"a\nb"), "data: a\ndata: b\n\n");
/// ```
#[must_use]
pub fn encode_frame(id: Option<u64>, name: &str, data: &[u8]) -> Bytes {
    let mut size = frame_len(id, name, data);
    if has_line_break(data) {
        size += lines(data).map(line_len).sum::<usize>() - line_len(data);
    }
    let mut frame = Vec::with_capacity(size);
    encode_frame_into(&mut frame, id, name, data);
    debug_assert!(frame.len() == frame.capacity() || has_line_break(name.as_bytes()));
    frame.into()
}

/// Appends the frame that [`encode_frame`] returns.
pub fn encode_frame_into(frames: &mut Vec<u8>, id: Option<u64>, name: &str, data: &[u8]) {
    if has_line_break(name.as_bytes()) {
        return encode_frame_into(frames, id, &name.replace(['\n', '\r'], ""), data);
    }
    if let Some(id) = id {
        frames.extend_from_slice(ID);
        push_decimal(frames, id);
        frames.push(b'\n');
    }
    if !name.is_empty() {
        push_line(frames, EVENT, name.as_bytes());
    }
    if has_line_break(data) {
        lines(data).for_each(|line| push_line(frames, DATA, line));
    } else {
        push_line(frames, DATA, data);
    }
    frames.push(b'\n');
}

/// The size of a frame that has no line break in its name and data.
pub(super) fn frame_len(id: Option<u64>, name: &str, data: &[u8]) -> usize {
    let id = id.map_or(0, |id| ID.len() + decimal_len(id) + 1);
    let name = if name.is_empty() { 0 } else { EVENT.len() + name.len() + 1 };
    id + name + line_len(data) + 1
}

/// The data of an `error` event.
pub(super) fn error_data(code: &str, message: &str) -> Bytes {
    format!("{{\"code\":{},\"message\":{}}}", json::string(code), json::string(message)).into()
}

fn has_line_break(bytes: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', bytes).is_some()
}

/// The lines of `data`. Their number is that of the line breaks plus one.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.iter().position(|&b| b == b'\n' || b == b'\r') else {
            return rest.take();
        };
        let width = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&text[end + width..]);
        Some(&text[..end])
    })
}

fn line_len(line: &[u8]) -> usize {
    DATA.len() + line.len() + 1
}

fn push_line(frame: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    frame.extend_from_slice(field);
    frame.extend_from_slice(value);
    frame.push(b'\n');
}

fn decimal_len(n: u64) -> usize {
    n.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn push_decimal(frame: &mut Vec<u8>, mut n: u64) {
    let mut digits = [b'0'; 20];
    let len = decimal_len(n);
    for digit in digits[..len].iter_mut().rev() {
        *digit += (n % 10) as u8;
        n /= 10;
    }
    frame.extend_from_slice(&digits[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_padding() {
        for n in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            assert_eq!(encode_frame(Some(n), "", b"x"), format!("id: {n}\ndata: x\n\n"));
        }
    }

    #[test]
    fn every_kind_of_line_break_starts_a_data_line() {
        let frame = encode_frame(None, "", b"a\nb\r\nc\rd\n\ne\r\n");
        assert_eq!(frame, "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\ndata: \n\n");
    }

    #[test]
    fn a_line_break_is_seen_at_any_place() {
        for len in 1..300 {
            for at in [0, len / 2, len - 1] {
                let mut data = vec![b'x'; len];
                assert!(!has_line_break(&data));
                data[at] = b'\r';
                assert!(has_line_break(&data), "{at} of {len}");
            }
        }
    }

    #[test]
    fn a_name_cannot_forge_a_field() {
        let frame = encode_frame(Some(1), "a\nid: 9\r\ndata: z", b"{}");
        assert_eq!(frame, "id: 1\nevent: aid: 9data: z\ndata: {}\n\n");
    }

    #[test]
    fn no_data_is_an_empty_data_line() {
        assert_eq!(encode_frame(Some(1), "tick", b""), "id: 1\nevent: tick\ndata: \n\n");
    }
}
