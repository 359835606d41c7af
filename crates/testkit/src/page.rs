//! One request to an operator's page.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, ToSocketAddrs};

/// The head and the body of the answer to `GET path`.
pub async fn get(address: impl ToSocketAddrs, path: &str) -> (String, String) {
    ask(address, &format!("GET {path}"), "").await
}

/// The same for `METHOD path`, and with these header lines.
pub async fn ask(address: impl ToSocketAddrs, request: &str, headers: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let text =
        format!("{request} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}
