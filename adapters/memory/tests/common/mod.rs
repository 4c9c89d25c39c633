//! The parts that the tests share: hooks that record their events.

#![allow(dead_code, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use crossws_core::{Closed, Error, HooksBuilder, Message, OnError, Peer, hooks};
pub(crate) use futures_lite::future::block_on;

/// The events, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// Returns the events since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Returns hooks that record every event; `message` also replies with the record.
    pub(crate) fn hooks(&self) -> HooksBuilder {
        let log = |log: &Self| log.clone();
        let (open, message, drain) = (log(self), log(self), log(self));
        let (ping, pong, close, error) = (log(self), log(self), log(self), log(self));
        hooks()
            .on_open(move |_| {
                open.add("open");
                async {}
            })
            .on_message(move |peer: Peer, text: Message| {
                message.add(format!("message {text}"));
                async move {
                    let _ = peer.send(text);
                }
            })
            .on_drain(move |_| {
                drain.add("drain");
                async {}
            })
            .on_ping(move |_, data| {
                ping.add(format!("ping {data:?}"));
                async {}
            })
            .on_pong(move |_, data| {
                pong.add(format!("pong {data:?}"));
                async {}
            })
            .on_close(move |_, closed| {
                close.add(close_line(&closed));
                async {}
            })
            .on_error(move |_, failure: Error| {
                error.add(format!("error {failure}"));
                async { OnError::default() }
            })
    }
}

/// Formats a close as the log has it: `close 1000 bye, by Client, clean`.
pub(crate) fn close_line(closed: &Closed) -> String {
    let clean = if closed.clean { "clean" } else { "not clean" };
    let reason = if closed.reason.is_empty() {
        String::new()
    } else {
        format!(" {}", closed.reason)
    };
    format!("close {}{reason}, by {:?}, {clean}", closed.code, closed.by)
}

/// A gate that every waiting task passes once it is open.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    pub(crate) fn open(&self) {
        let wakers = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            std::mem::take(&mut state.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) async fn passed(&self) {
        std::future::poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
