//! A connection that watches what passes: the only witness of what an upstream can have received.
//!
//! HTTP libraries tell *that* a request failed, not *how far* it came. Each connection therefore
//! writes through a [`Wire`], whose observer sees the bytes that the system accepted. Over TLS
//! these are the bytes handed to TLS, at least as many as went out: an observer may think that more
//! was sent than was, never less.

use std::io::{self, IoSlice, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::AlertDescription;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The bytes' way, plain or over TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What an observer is told; plain bytes, in order.
pub(super) trait Observer: Send + Unpin + 'static {
    /// Something is about to be written.
    ///
    /// # Errors
    /// Stops the write, and with it the connection, before a byte leaves.
    fn before_write(&mut self, socket: &TcpStream) -> io::Result<()>;
    /// These bytes were accepted.
    fn wrote(&mut self, bytes: &[u8]);
    /// These bytes came.
    fn read(&mut self, bytes: &[u8]);
    /// The peer ended TLS with this alert.
    fn alerted(&mut self, alert: AlertDescription);
}

/// A stream with its observer.
pub(super) struct Wire<O> {
    stream: Stream,
    observer: O,
}

impl<O: Observer> Wire<O> {
    pub(super) fn new(stream: Stream, observer: O) -> Self {
        Self { stream, observer }
    }

    fn read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = match &mut self.stream {
            Stream::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        if let Poll::Ready(Err(fault)) = &read
            && let Some(alert) = alert(fault)
        {
            self.observer.alerted(alert);
        }
        read
    }

    /// A peer that refuses says why and closes; what fails first is a write. The reason may still
    /// wait to be read, and the runtime may not have heard of it: the system is asked itself.
    /// Content stays with the TLS session.
    fn why(&mut self, fault: io::Error) -> io::Error {
        let Stream::Tls(stream) = &mut self.stream else {
            return fault;
        };
        let (socket, session) = stream.get_mut();
        let socket = SockRef::from(&*socket);
        let mut room = [0; 512];
        while let Ok(count @ 1..) = (&*socket).read(&mut room) {
            let mut bytes = &room[..count];
            while !bytes.is_empty() {
                if !matches!(session.read_tls(&mut bytes), Ok(1..)) {
                    return fault;
                }
                match session.process_new_packets() {
                    Ok(_) => {}
                    Err(rustls::Error::AlertReceived(alert)) => {
                        self.observer.alerted(alert);
                        return io::Error::new(
                            io::ErrorKind::InvalidData,
                            rustls::Error::AlertReceived(alert),
                        );
                    }
                    Err(_) => return fault,
                }
            }
        }
        fault
    }
}

/// The alert that a failure of TLS stands for, if the peer sent one.
fn alert(fault: &io::Error) -> Option<AlertDescription> {
    match fault.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// True when nothing waits to be read on a connection that should be silent: neither the peer's
/// goodbye nor bytes that nobody asked for. Asks the system itself: the runtime may not have heard
/// yet.
pub(super) fn silent(socket: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    matches!(SockRef::from(socket).peek(&mut byte), Err(why) if why.kind() == io::ErrorKind::WouldBlock)
}

impl<O: Observer> AsyncRead for Wire<O> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        ready!(this.read(context, buffer))?;
        this.observer.read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<O: Observer> AsyncWrite for Wire<O> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.observer.before_write(this.stream.socket())?;
        let accepted = ready!(match &mut this.stream {
            Stream::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        })
        .map_err(|fault| this.why(fault))?;
        this.observer.wrote(&bytes[..accepted]);
        Poll::Ready(Ok(accepted))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.observer.before_write(this.stream.socket())?;
        let accepted = ready!(match &mut this.stream {
            Stream::Plain(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        })
        .map_err(|fault| this.why(fault))?;
        let mut left = accepted;
        for slice in slices {
            let part = slice.len().min(left);
            this.observer.wrote(&slice[..part]);
            left -= part;
        }
        Poll::Ready(Ok(accepted))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(socket) => socket.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(match &mut this.stream {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        })
        .map_err(|fault| this.why(fault))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
