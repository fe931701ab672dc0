//! Messages between the processes: one JSON value a line.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// Writes messages, all in one go.
pub(crate) async fn write<T: Serialize>(
    output: &mut (impl AsyncWrite + Unpin),
    messages: &[T],
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(messages.len() * 128);
    for message in messages {
        serde_json::to_writer(&mut bytes, message)?;
        bytes.push(b'\n');
    }
    output.write_all(&bytes).await?;
    output.flush().await
}

/// Reads the next message; `None` at the end of the input, also if that is in the midst of a line: the writer was killed.
pub(crate) async fn read<T: DeserializeOwned>(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<Option<T>> {
    line.clear();
    input.read_until(b'\n', line).await?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(line)?))
}
