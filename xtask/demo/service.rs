//! A small web service for the demo's script to compile, start and ask.
//!
//! `service INDEX PORT_FILE` listens on a free port of the loopback interface, writes the port's number to `PORT_FILE`,
//! and answers `GET /WORD` with the lines of INDEX that begin with that word.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, fs, process, thread};

/// The lines of the index by their first word.
type Index = HashMap<String, String>;

fn main() {
    let mut arguments = env::args().skip(1);
    let (Some(index), Some(port_file), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: service INDEX PORT_FILE");
        process::exit(2);
    };
    if let Err(error) = serve(&index, &port_file) {
        eprintln!("service: {error}");
        process::exit(1);
    }
}

fn serve(index: &str, port_file: &str) -> io::Result<()> {
    let index = read(index)?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    // Renamed into place, so that a reader of the file finds the whole number in it.
    let unfinished = format!("{port_file}.new");
    fs::write(&unfinished, format!("{}\n", listener.local_addr()?.port()))?;
    fs::rename(&unfinished, port_file)?;
    // The script stops its service. If the script is killed first, this does.
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(60));
        process::exit(0);
    });
    for client in listener.incoming() {
        if let Err(error) = client.and_then(|client| answer(client, &index)) {
            eprintln!("service: {error}");
        }
    }
    Ok(())
}

fn read(path: &str) -> io::Result<Index> {
    let mut index = Index::new();
    for line in fs::read_to_string(path)?.lines() {
        let word = line.split(' ').next().unwrap_or_default();
        let lines = index.entry(word.to_owned()).or_default();
        lines.push_str(line);
        lines.push('\n');
    }
    Ok(index)
}

fn answer(mut client: TcpStream, index: &Index) -> io::Result<()> {
    // One client at a time, so none may keep the others waiting.
    client.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut request = String::new();
    let mut lines = BufReader::new(&client);
    lines.read_line(&mut request)?;
    let mut header = String::new();
    while lines.read_line(&mut header)? > 2 {
        header.clear();
    }
    let word = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match index.get(word) {
        Some(lines) => ("200 OK", lines.as_str()),
        None => ("404 Not Found", "no such word\n"),
    };
    let length = body.len();
    let reply = format!("HTTP/1.0 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}");
    client.write_all(reply.as_bytes())
}
