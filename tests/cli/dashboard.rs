//! `autogan dashboard`: it prints its address and answers there, and it refuses bad arguments.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use crate::common::{autogan, command};

#[test]
fn it_prints_an_address_and_answers_there() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("runs")).unwrap();
    let mut command = command(home.path());
    command.args(["dashboard", "--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let text = ask(&address);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{line}");
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert!(text.contains("\"directory\":\"runs\",\"runs\":[]"), "{text}");
}

fn ask(address: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    // A server that hangs has failed.
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("GET /api/runs HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

/// A limit of 40 open files, and a hundred clients that say nothing.
#[cfg(unix)]
#[test]
fn it_goes_on_without_a_free_file_descriptor() {
    let home = tempfile::tempdir().unwrap();
    let program = command(home.path()).get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -n 40 && exec \"$0\" dashboard . --port 0"]).arg(program);
    shell.current_dir(home.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = shell.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let text = ask(&address);
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(crowd);
    assert!(ended.is_none(), "{ended:?}");
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
}

#[test]
fn an_absent_directory_and_a_taken_port_are_errors() {
    let home = tempfile::tempdir().unwrap();
    let error = autogan(home.path(), &["dashboard"]).fails(1);
    assert!(error.contains("runs") && error.contains("name the directory of runs"), "{error}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = autogan(home.path(), &["dashboard", ".", "--port", &port]).fails(1);
    assert!(error.contains("is in use") && error.contains("--port"), "{error}");
}
