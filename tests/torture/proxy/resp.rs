//! Requests as clients write them: arrays of bulk strings.

use std::io;

/// Reads one command from the beginning of `bytes`, and tells how long it is; `None` if more bytes are needed.
///
/// # Errors
///
/// When it is no array of bulk strings: no client of ours writes anything else.
pub(super) fn command(bytes: &[u8]) -> io::Result<Option<(Vec<Vec<u8>>, usize)>> {
    let Some((parts, mut at)) = number(bytes, b'*')? else {
        return Ok(None);
    };
    let mut command = Vec::with_capacity(parts);
    for _ in 0..parts {
        let Some((len, head)) = number(&bytes[at..], b'$')? else {
            return Ok(None);
        };
        at += head;
        let Some(part) = bytes.get(at..at + len) else {
            return Ok(None);
        };
        if bytes.len() < at + len + 2 {
            return Ok(None);
        }
        command.push(part.to_vec());
        at += len + 2;
    }
    Ok(Some((command, at)))
}

/// Writes one command.
pub(super) fn write(command: &[Vec<u8>], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
    for part in command {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// A mark, a number and the end of the line.
fn number(bytes: &[u8], mark: u8) -> io::Result<Option<(usize, usize)>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    bytes[..end]
        .strip_suffix(b"\r")
        .and_then(|line| line.strip_prefix(&[mark]))
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .map(|number| Some((number, end + 1)))
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_part_of_it_is_not() {
        let told = vec![b"GET".to_vec(), b"a\r\nb".to_vec(), Vec::new()];
        let mut bytes = Vec::new();
        write(&told, &mut bytes);
        assert!(
            matches!(command(&bytes), Ok(Some((read, len))) if read == told && len == bytes.len())
        );
        for len in 0..bytes.len() {
            assert!(matches!(command(&bytes[..len]), Ok(None)), "{len} bytes");
        }
        assert!(command(b"PING\r\n").is_err());
    }
}
