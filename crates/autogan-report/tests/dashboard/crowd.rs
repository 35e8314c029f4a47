//! A thousand connections: one more is answered, and files and memory stay bounded.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use autogan_report::dashboard::Dashboard;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::fixture::finished;

const CROWD: usize = 1000;
/// What the dashboard has open at a time (128), and what other tests of this process may have.
const MORE: usize = 128 + 300;
/// A test that takes as long has failed.
const HANG: Duration = Duration::from_secs(120);

fn connected(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(HANG)).unwrap();
    socket
}

fn answer(address: SocketAddr, path: &str) -> String {
    let mut socket = connected(address);
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

/// Lets this process open the files that the clients of the test need.
fn allow_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn a_thousand_connections_keep_nobody_out() {
    allow_files();
    let (_home, runs) = finished();
    // Pictures of some size, for clients that do not read them.
    let picture = [&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 8 << 20]].concat();
    fs::write(runs.join("00000-tiny-s5/samples/large.png"), picture).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dashboard = Dashboard::open(&runs).unwrap();
    thread::spawn(move || dashboard.serve(listener));

    let half = "GET /api/runs HTTP/1.1\r\nHost: loc";
    let large =
        format!("GET /runs/00000-tiny-s5/samples/large.png HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let starts = ["", half, large.as_str()];
    let crowd: Vec<TcpStream> = (0..CROWD)
        .map(|at| {
            let mut socket = connected(address);
            // A connection that had to give way takes nothing more.
            let _ = socket.write_all(starts[at % starts.len()].as_bytes());
            socket
        })
        .collect();
    let text = answer(address, "/api/runs");
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains("00000-tiny-s5"), "{text}");
    assert!(answer(address, "/").contains("/assets/app.js"));
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        let open = open.count();
        assert!(open < CROWD + MORE, "{open} files are open");
    }
    drop(crowd);
    assert!(answer(address, "/api/runs").starts_with("HTTP/1.1 200 OK"));
}
