use std::time::Duration;

use crossws_core::adapter::ControlFrame;
use crossws_core::{CloseCode, Limits, Message};
use crossws_proto::connection::Step;
use crossws_proto::outbox::Framing;
use crossws_proto::testing::{Cut, End, Pair, Pipe};

/// Most bytes that may wait for an end.
const MOST: usize = 4096;

/// Longest script. Its connections end within a day.
const ACTIONS: usize = 512;

/// What a script has done to one end.
#[derive(Default)]
struct Told {
    sent: Vec<Message>,
    closed: Option<CloseCode>,
}

impl Told {
    fn send<F: Framing>(&mut self, end: &End<F>, len: usize) {
        let message = Message::from(vec![self.sent.len() as u8; len]);
        if end.send(message.clone()).queued {
            self.sent.push(message);
        }
    }

    fn close<F: Framing>(&mut self, end: &End<F>, arg: u8) {
        if self.closed.is_none() {
            let code = CloseCode::new(3000 + u16::from(arg)).expect("a code of applications");
            self.closed = Some(code);
            end.close(code);
        }
    }
}

fn change(pipe: &mut Pipe, arg: u8) {
    let value = usize::from(arg >> 2) * 8;
    match arg & 3 {
        0 => pipe.room = value,
        1 => pipe.piece = value + 1,
        2 => pipe.delay = Duration::from_millis(value as u64),
        _ => pipe.room = usize::MAX,
    }
}

fn cut(pipe: &mut Pipe, arg: u8) {
    if pipe.passes == usize::MAX {
        pipe.passes = usize::from(arg >> 2);
        pipe.cut = match arg & 3 {
            0 => Cut::End,
            1 => Cut::Reset,
            _ => Cut::Silence,
        };
    }
}

/// Hooks hear of the end once, after everything else.
fn ends_once<F: Framing>(end: &End<F>) {
    let at = end
        .steps
        .iter()
        .position(|step| matches!(step, Step::Closed));
    assert_eq!(at, Some(end.steps.len() - 1), "{:?}", end.steps);
}

/// What was heard is the beginning of what was sent, in its order and once each.
fn is_prefix<F: Framing>(end: &End<F>, sent: &[Message]) {
    let heard = end.messages();
    assert!(heard.len() <= sent.len());
    assert!(
        heard
            .into_iter()
            .zip(sent)
            .all(|(heard, sent)| heard == sent)
    );
}

/// Runs two connections by a script of pairs of bytes: an action and its argument. They must end, with
/// each message at most once and in order, and nothing after an end.
pub fn pair(data: &[u8]) {
    let limits = Limits::default()
        .max_buffered(MOST)
        .max_inbound(4)
        .close_timeout(Duration::from_secs(2));
    let mut pair = Pair::new(limits);
    let (mut server, mut client) = (Told::default(), Told::default());
    let mut is_raw = false;
    let mut rest = data;
    for _ in 0..ACTIONS {
        let [action, arg, further @ ..] = rest else {
            break;
        };
        rest = further;
        let (arg, len) = (*arg, usize::from(*arg));
        match action & 15 {
            0 => client.send(&pair.client, len),
            1 => server.send(&pair.server, len),
            2 => client.send(&pair.client, len * 64),
            3 => server.send(&pair.server, len * 64),
            4 => client.close(&pair.client, arg),
            5 => server.close(&pair.server, arg),
            6 => pair.advance(Duration::from_millis(100 * len as u64)),
            7 => pair.server.busy = !pair.server.busy,
            8 => pair.client.busy = !pair.client.busy,
            9 => change(&mut pair.server.incoming, arg),
            10 => change(&mut pair.client.incoming, arg),
            11 => cut(&mut pair.server.incoming, arg),
            12 => cut(&mut pair.client.incoming, arg),
            13 => {
                let _ = pair
                    .client
                    .outbox()
                    .control(ControlFrame::Ping(vec![0; len / 4].into()));
            }
            14 => {
                let (bytes, further) = rest.split_at((len % 32).min(rest.len()));
                rest = further;
                is_raw = true;
                pair.server.receive(pair.now(), bytes);
            }
            _ => pair.server.outbox().terminate(),
        }
        if arg & 1 == 0 {
            pair.run();
        }
    }
    (pair.server.busy, pair.client.busy) = (false, false);
    pair.server.close(CloseCode::NORMAL);
    pair.run_to_end();
    ends_once(&pair.server);
    ends_once(&pair.client);
    is_prefix(&pair.client, &server.sent);
    if is_raw {
        return;
    }
    is_prefix(&pair.server, &client.sent);
    let (here, there) = (pair.server.closed(), pair.client.closed());
    if here.clean && there.clean && here.by == there.by {
        assert_eq!(here.code, there.code);
    }
}
