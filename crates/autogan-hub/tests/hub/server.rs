//! A local server in place of the hub. It answers one connection after another and keeps the requests.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use autogan_hub::Hub;

/// A request: its first line, and its headers with names in lower case.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The path of the request.
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

/// The server's address and the requests so far.
pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server whose request number N is answered by `respond`. Its threads end with the test process.
    pub fn start(respond: impl Fn(usize, &Request, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let respond = Arc::new(respond);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let request = read(&stream);
                let number = log.lock().unwrap().len();
                log.lock().unwrap().push(request.clone());
                let respond = Arc::clone(&respond);
                std::thread::spawn(move || respond(number, &request, stream));
            }
        });
        Self { address, requests }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// A client of this server, with its cache in `cache`.
    pub fn hub(&self, cache: &Path) -> Hub {
        Hub {
            offline: false,
            endpoint: self.address.clone(),
            cache: cache.to_path_buf(),
            records: cache.join("records.tsv"),
            token: Some("secret".into()),
            stall: Duration::from_secs(10),
            progress: None,
        }
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut lines =
        BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    let header = |line: String| {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        (name.to_ascii_lowercase(), value.to_string())
    };
    Request { line, headers: lines.map(header).collect() }
}

/// Writes an answer's head; the client may hang up at any time, so nothing is checked.
pub fn head(mut stream: &TcpStream, status: &str, length: usize, more: &str) {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).ok();
}

/// Writes a whole answer.
pub fn answer(mut stream: &TcpStream, status: &str, body: &[u8]) {
    head(stream, status, body.len(), "");
    stream.write_all(body).ok();
}
