//! [`serve()`] accepts connections and answers on them, so that no client can keep others out.
//!
//! Only so many connections are open at a time. One more takes the place of another: of one that has never asked for
//! anything, else of the one that has asked for nothing for the longest time. A client that sends no whole request, or
//! does not read its answer, is given up after a while, and every connection ends at some time; a browser opens a new one
//! by itself.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::work::READERS;

/// The longest head of a request in bytes.
const HEAD: usize = 32 << 10;
/// File descriptors that are kept free of connections, to read runs with.
const SPARE: usize = 16;
/// How long accepting pauses when the system refuses a connection, as it does without a free file descriptor.
const PAUSE: Duration = Duration::from_millis(50);

/// What a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// How long a connection may take until a whole head of a request has come.
    pub asking: Duration,
    /// How long a client may read nothing of its answer.
    pub stalling: Duration,
    /// After which time a connection takes no more requests.
    pub life: Duration,
}

impl Limits {
    /// Those of the dashboard.
    pub const USUAL: Limits = Limits {
        connections: 128,
        asking: Duration::from_secs(15),
        stalling: Duration::from_secs(15),
        life: Duration::from_secs(300),
    };
}

/// Answers requests until the process ends.
///
/// # Errors
/// The operating system's, when it refuses a thread or the socket.
pub fn serve(listener: TcpListener, router: &Router, mut limits: Limits) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(READERS)
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let guests = Guests::default();
        loop {
            match listener.accept().await {
                Ok((socket, _)) => guests.welcome(socket, router.clone(), limits),
                // The client went away.
                Err(error) if is_of_client(error.kind()) => {}
                // The system has no more file descriptors, say: fewer connections help, from now on.
                Err(_) => {
                    limits.connections = guests.make_room();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    })
}

fn is_of_client(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionReset | Interrupted)
}

/// The open connections, by the order in which they came.
#[derive(Debug, Clone, Default)]
struct Guests(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    /// Counts connections and requests.
    count: u64,
    open: BTreeMap<u64, Guest>,
}

#[derive(Debug)]
struct Guest {
    connection: AbortHandle,
    /// Whether a request is being answered.
    busy: bool,
    /// The number of its last request; 0 before the first.
    asked: u64,
}

impl Guests {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers on this connection; ends another one if there are too many.
    fn welcome(&self, socket: TcpStream, router: Router, limits: Limits) {
        let mut book = self.book();
        if book.open.len() >= limits.connections {
            book.end_one();
        }
        book.count += 1;
        let number = book.count;
        let place = Place { guests: self.clone(), number };
        let task = tokio::spawn(talk(socket, router, place, limits));
        let connection = task.abort_handle();
        book.open.insert(number, Guest { connection, busy: false, asked: 0 });
    }

    /// Ends connections until some files can be opened again; returns how many connections are left.
    fn make_room(&self) -> usize {
        let mut book = self.book();
        let most = book.open.len().saturating_sub(SPARE).max(1);
        while book.open.len() > most {
            book.end_one();
        }
        most
    }
}

impl Book {
    /// Ends the connection that is missed least.
    fn end_one(&mut self) {
        let worth = |(number, guest): &(&u64, &Guest)| (guest.busy, guest.asked, **number);
        let least = self.open.iter().min_by_key(worth).map(|(&number, _)| number);
        if let Some(guest) = least.and_then(|number| self.open.remove(&number)) {
            guest.connection.abort();
        }
    }
}

/// The entry of a connection in the book, which goes with it.
struct Place {
    guests: Guests,
    number: u64,
}

impl Place {
    fn mark(&self, busy: bool) {
        let mut book = self.guests.book();
        book.count += 1;
        let asked = book.count;
        if let Some(guest) = book.open.get_mut(&self.number) {
            (guest.busy, guest.asked) = (busy, asked);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guests.book().open.remove(&self.number);
    }
}

/// One connection from its beginning to its end.
async fn talk(socket: TcpStream, router: Router, place: Place, limits: Limits) {
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(limits.stalling));
    let place = Arc::new(place);
    let service = service_fn(|request: Request<Incoming>| {
        let (router, place) = (router.clone(), Arc::clone(&place));
        async move {
            place.mark(true);
            let answer = router.oneshot(request.map(Body::new)).await;
            place.mark(false);
            answer
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.asking)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(Box::pin(socket)), service)
    );
    // How a connection ends is the client's affair: there is nobody to tell.
    if tokio::time::timeout(limits.life, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(limits.stalling, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Shutdown, SocketAddr, TcpStream};
    use std::thread;

    use axum::routing::get;

    const ASK: &[u8] = b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n";
    /// Longer than what sockets keep for a client that does not read.
    const LONG: usize = 64 << 20;
    /// A test that takes as long has failed.
    const HANG: Duration = Duration::from_secs(60);

    fn started(limits: Limits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|| async { "short" }))
            .route("/long", get(|| async { vec![7_u8; LONG] }));
        thread::spawn(move || serve(listener, &router, limits));
        address
    }

    fn connected(address: SocketAddr) -> TcpStream {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(HANG)).unwrap();
        socket
    }

    /// Everything that comes until the server ends the connection; panics if it does not.
    fn rest(mut socket: TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        match socket.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
            _ => bytes,
        }
    }

    fn answered(address: SocketAddr) -> bool {
        let mut socket = connected(address);
        socket.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        rest(socket).ends_with(b"short")
    }

    const QUICK: Limits = Limits {
        connections: 3,
        asking: Duration::from_millis(200),
        stalling: Duration::from_millis(200),
        life: HANG,
    };

    #[test]
    fn a_client_that_sends_no_whole_head_is_given_up() {
        let address = started(QUICK);
        for start in ["", "GET / HTTP/1.1\r\nHost: loc"] {
            let mut socket = connected(address);
            socket.write_all(start.as_bytes()).unwrap();
            assert!(!rest(socket).ends_with(b"short"), "{start:?}");
        }
        // A drop at a time, without end.
        let mut slow = connected(address);
        slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        while slow.write_all(b"X-A: b\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(answered(address));
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let address = started(Limits { asking: HANG, ..QUICK });
        let mut socket = connected(address);
        // Refused while it is sent: the rest cannot be written, then.
        let _ = socket.write_all(&[b"GET /".as_slice(), &[b'a'; 4 * HEAD]].concat());
        assert!(!rest(socket).ends_with(b"short"));
        assert!(answered(address));
    }

    #[test]
    fn a_client_that_does_not_read_is_given_up() {
        let address = started(QUICK);
        let mut socket = connected(address);
        socket.write_all(ASK).unwrap();
        // Other clients come meanwhile, and their answers do not wait for this one.
        assert!(answered(address));
        thread::sleep(QUICK.stalling * 5);
        assert!(rest(socket).len() < LONG, "what was on its way before is all that comes");
    }

    #[test]
    fn a_connection_ends_at_some_time() {
        let life = Duration::from_millis(300);
        let address = started(Limits { life, asking: HANG, ..QUICK });
        let mut socket = connected(address);
        let mut asked = 0;
        while asked < 500 && socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok()
        {
            asked += 1;
            if !matches!(socket.read(&mut [0; 4096]), Ok(1..)) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        assert!(asked > 1 && asked < 500, "it took {asked} requests");
        assert!(answered(address));
    }

    #[test]
    fn one_more_takes_the_place_of_one_that_never_asked() {
        let address = started(Limits { asking: HANG, ..QUICK });
        let mut asked = connected(address);
        let ask = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        asked.write_all(ask).unwrap();
        let mut answer = [0; 4096];
        assert!(asked.read(&mut answer).unwrap() > 0);
        let idle: Vec<TcpStream> = (0..20).map(|_| connected(address)).collect();
        assert!(answered(address), "of twenty that say nothing, two are left");
        asked.write_all(ask).unwrap();
        assert!(asked.read(&mut answer).unwrap() > 0, "it was not they that kept it out");
        asked.shutdown(Shutdown::Both).unwrap();
        drop(idle);
    }
}
