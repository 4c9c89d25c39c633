//! Does the load generator notice a faulty server? The tests run it against a small server whose
//! fault is a parameter.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossws_bench::wire;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Framing, Sample, Target, Work};
use crate::process::Process;

/// A stream of the server.
trait Duplex: Read + Write {}

impl<S: Read + Write> Duplex for S {}

fn encrypted(stream: TcpStream) -> impl Duplex {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

/// Runs four pipelined echoes of one client against a server that passes the frames of each read
/// through `fault`.
fn echo(fault: impl Fn(&mut Vec<Vec<u8>>) + Send + 'static) -> std::io::Result<Sample> {
    echo_over(Framing::WebSocket, fault)
}

fn echo_over(
    framing: Framing,
    fault: impl Fn(&mut Vec<Vec<u8>>) + Send + 'static,
) -> std::io::Result<Sample> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target {
        address: listener.local_addr().unwrap(),
        framing,
        process: Process::own(),
    };
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream: Box<dyn Duplex> = match framing {
            Framing::Tls => Box::new(encrypted(stream)),
            _ => Box::new(stream),
        };
        let mut buf = vec![0; 1 << 16];
        let mut bytes = Vec::new();
        while wire::head_end(&bytes).is_none() {
            let read = stream.read(&mut buf).unwrap();
            bytes.extend_from_slice(&buf[..read]);
        }
        let (_, answer) = wire::accept(&bytes).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        bytes.clear();
        loop {
            let read = stream.read(&mut buf).unwrap_or(0);
            if read == 0 {
                return;
            }
            bytes.extend_from_slice(&buf[..read]);
            let mut frames = Vec::new();
            while let Some(frame) = wire::frame(&bytes).unwrap() {
                let end = frame.payload.end;
                let payload = &mut bytes[frame.payload];
                wire::apply_mask(payload, frame.mask.unwrap());
                let mut answer = Vec::new();
                wire::put_frame(&mut answer, frame.opcode, payload, None);
                frames.push(answer);
                bytes.drain(..end);
            }
            fault(&mut frames);
            if stream.write_all(&frames.concat()).is_err() {
                return;
            }
        }
    });
    let work = Work::Echo {
        clients: 1,
        depth: 4,
        size: 64,
        binary: false,
    };
    work.run(&target, Duration::from_millis(20))
}

#[test]
fn an_honest_server_gets_its_figure() {
    let sample = echo(|_| {}).unwrap();
    assert!(sample.count > 0 && sample.count.is_multiple_of(4));
    assert!(sample.usage.cpu > 0);
}

#[test]
fn an_encrypted_server_gets_its_figure_and_its_faults_are_noticed() {
    let sample = echo_over(Framing::Tls, |_| {}).unwrap();
    assert!(sample.count > 0 && sample.count.is_multiple_of(4));
    echo_over(Framing::Tls, |frames| frames.swap(0, 1)).unwrap_err();
}

#[test]
fn a_message_that_is_missing_is_noticed() {
    echo(|frames| drop(frames.remove(0))).unwrap_err();
}

#[test]
fn messages_out_of_order_are_noticed() {
    echo(|frames| frames.swap(0, 1)).unwrap_err();
}

#[test]
fn a_message_that_comes_twice_is_noticed() {
    echo(|frames| frames.insert(0, frames[0].clone())).unwrap_err();
}

#[test]
fn a_byte_that_differs_is_noticed() {
    echo(|frames| frames[0][40] ^= 1).unwrap_err();
}
