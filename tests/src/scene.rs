use std::cell::Cell;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use crossws_core::PeerId;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use crate::{
    Ask, Connected, Control, Do, Entry, Framed, Peer, Profile, Raw, Reply, Report, Server,
    Shutdown, Target,
};

/// The argument of a case: an adapter on which it starts servers.
#[derive(Clone, Copy)]
pub struct Scene<'a>(pub &'a dyn Target);

impl Scene<'_> {
    /// Starts a server with default limits.
    pub async fn stage(self) -> Stage {
        self.stage_with(Profile::default()).await
    }

    /// Starts a server with other limits.
    pub async fn stage_with(self, profile: Profile) -> Stage {
        Stage(self.0.start(profile).await)
    }
}

/// A server with helper methods for cases.
pub struct Stage(Box<dyn Server>);

impl Stage {
    /// Connects. The upgrade must be accepted.
    pub async fn connect(&self, path: &str, ask: Ask) -> Peer {
        match self.try_connect(path, ask, &[]).await {
            Ok(peer) => peer,
            Err(response) => panic!("refused: {response:?}"),
        }
    }

    /// Connects to `path` under a name, and waits until the peer is listed: if client and server
    /// run on different threads, the client may get its 101 before the server has listed the peer.
    pub async fn join(&self, path: &str, who: &str) -> Peer {
        let peer = self.connect(path, Ask::named(who)).await;
        let begun = if path.starts_with("/handler") {
            "loop"
        } else {
            "open"
        };
        self.wait(who, begun).await;
        peer
    }

    /// Connects, and waits until the peer has its topics and its `open` hook has ended.
    pub async fn open(&self, path: &str, ask: Ask) -> Peer {
        let who = ask.who.clone();
        let peer = self.connect(path, ask).await;
        self.wait(&who, "open.end").await;
        peer
    }

    /// Connects with these additional headers.
    pub async fn try_connect(
        &self,
        path: &str,
        ask: Ask,
        headers: &[(&str, &str)],
    ) -> Result<Peer, Response<Bytes>> {
        let asked = self.ask(path, ask, headers).await;
        asked.map_err(|refusal| refusal.expect("the connection ended without an answer"))
    }

    /// Connects. The error is `None` if the connection ends without a response.
    pub async fn ask(
        &self,
        path: &str,
        ask: Ask,
        headers: &[(&str, &str)],
    ) -> Result<Peer, Option<Response<Bytes>>> {
        let mut request = Request::get(ask.target(path));
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let connected = self.0.connect(request.body(()).unwrap()).await?;
        let Connected { response, client } = connected;
        Ok(Peer {
            who: ask.who,
            response,
            client,
        })
    }

    /// Connects. The upgrade must be refused with this status.
    pub async fn refused(
        &self,
        path: &str,
        ask: Ask,
        headers: &[(&str, &str)],
        status: u16,
    ) -> Response<Bytes> {
        match self.try_connect(path, ask, headers).await {
            Ok(peer) => panic!("accepted: {:?}", peer.response),
            Err(response) => {
                assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
                response
            }
        }
    }

    /// Returns the server itself.
    pub fn server(&self) -> &dyn Server {
        &*self.0
    }

    async fn control(&self, control: Control) -> Value {
        match self.0.control(control).await {
            Reply::Value(value) => value,
            Reply::Entries(entries) => panic!("unexpected: {entries:?}"),
        }
    }

    /// Applies a control, and ignores its reply.
    pub async fn order(&self, control: Control) {
        self.control(control).await;
    }

    /// Waits for the first entry of this kind. Returns its detail.
    pub async fn wait(&self, who: &str, what: &str) -> Value {
        self.wait_for(who, what, 1).await.remove(0)
    }

    /// Waits for `count` entries of this kind. Returns the details of all.
    pub async fn wait_for(&self, who: &str, what: &str, count: usize) -> Vec<Value> {
        let control = Control::Wait {
            who: who.to_owned(),
            what: what.to_owned(),
            count,
        };
        match self.0.control(control).await {
            Reply::Entries(entries) => entries.into_iter().map(|entry| entry.detail).collect(),
            Reply::Value(value) => panic!("unexpected: {value}"),
        }
    }

    /// Returns the journal of one connection so far.
    pub async fn entries(&self, who: &str) -> Vec<Entry> {
        let who = Some(who.to_owned());
        match self.0.control(Control::Entries { who }).await {
            Reply::Entries(entries) => entries,
            Reply::Value(value) => panic!("unexpected: {value}"),
        }
    }

    /// Returns the kinds of one connection's entries, in order.
    pub async fn story(&self, who: &str) -> Vec<String> {
        let entries = self.entries(who).await;
        entries.into_iter().map(|entry| entry.what).collect()
    }

    /// Returns the kinds of one connection's entries after its `open` hook, in order. Entries about
    /// resolving hooks are left out: servers that sleep resolve them again when they wake.
    pub async fn story_since_open(&self, who: &str) -> Vec<String> {
        let mut story = self.story(who).await;
        story.retain(|entry| entry != "resolve");
        let open = story.iter().position(|entry| entry == "open.end").unwrap();
        story.split_off(open + 1)
    }

    /// Returns how many entries of this kind there are.
    pub async fn count(&self, who: &str, what: &str) -> usize {
        let story = self.story(who).await;
        story.iter().filter(|entry| *entry == what).count()
    }

    /// Opens a gate.
    pub async fn release(&self, gate: &str) {
        self.order(Control::Release {
            gate: gate.to_owned(),
        })
        .await;
    }

    /// Makes a peer's hook queue what `flood` says, for a client that does not read, and waits until
    /// no more of it can be written: a client is slow only once a write has had to wait for it. The
    /// same hook then does `rest`: the client's next message would wait until it has read.
    pub async fn fill(&self, peer: &mut Peer, who: &str, flood: Do, rest: &[Do]) {
        const ROUNDS: usize = 32;
        let gate = |round: usize| format!("{who} is full {round}");
        let mut script = vec![flood];
        for round in 0..ROUNDS {
            script.extend([Do::Wait { gate: gate(round) }, Do::State]);
        }
        script.extend_from_slice(rest);
        peer.perform(&script).await;
        // While the hook waits at a gate, its connection writes what it can.
        let mut last = (Value::Null, 0);
        for round in 0..ROUNDS {
            self.release(&gate(round)).await;
            if last.1 < 3 {
                let state = self.wait_for(who, "state", round + 1).await.remove(round);
                let buffered = state["buffered"].clone();
                let times = if buffered == last.0 { last.1 + 1 } else { 0 };
                last = (buffered, times);
            }
        }
        self.wait(who, "message.end").await;
    }

    /// Waits until the last hook of every connection has ended.
    pub async fn idle(&self) {
        self.order(Control::Idle).await;
    }

    /// Lets time pass.
    pub async fn advance(&self, time: Duration) {
        PASSED.set(PASSED.get() + time);
        self.0.advance(time).await;
    }

    /// Publishes from outside. Returns how many queues took the message.
    pub async fn publish(&self, namespace: Option<&str>, topic: &str, text: &str) -> u64 {
        let control = Control::Publish {
            namespace: namespace.map(str::to_owned),
            topic: topic.to_owned(),
            text: text.to_owned(),
            retained: false,
        };
        self.control(control).await.as_u64().unwrap()
    }

    /// As [`publish`](Self::publish), and lets the topic retain the text.
    pub async fn publish_retained(&self, namespace: &str, topic: &str, text: &str) -> u64 {
        let control = Control::Publish {
            namespace: Some(namespace.to_owned()),
            topic: topic.to_owned(),
            text: text.to_owned(),
            retained: true,
        };
        self.control(control).await.as_u64().unwrap()
    }

    /// Forgets what a topic retains. Returns in how many namespaces it retained a message.
    pub async fn clear_retained(&self, namespace: &str, topic: &str) -> u64 {
        let control = Control::ClearRetained {
            namespace: Some(namespace.to_owned()),
            topic: topic.to_owned(),
        };
        self.control(control).await.as_u64().unwrap()
    }

    /// Sends to every peer from outside. Returns how many queues took the message.
    pub async fn broadcast(&self, namespace: Option<&str>, text: &str) -> u64 {
        let control = Control::Broadcast {
            namespace: namespace.map(str::to_owned),
            text: text.to_owned(),
        };
        self.control(control).await.as_u64().unwrap()
    }

    /// Returns the ids of the peers, of one namespace or of all.
    pub async fn peers(&self, namespace: Option<&str>) -> Vec<PeerId> {
        let namespace = namespace.map(str::to_owned);
        serde_json::from_value(self.control(Control::Peers { namespace }).await).unwrap()
    }

    /// Returns the topics, of one namespace or of all.
    pub async fn topics(&self, namespace: Option<&str>) -> Vec<String> {
        let namespace = namespace.map(str::to_owned);
        serde_json::from_value(self.control(Control::Topics { namespace }).await).unwrap()
    }

    /// Returns the namespaces.
    pub async fn namespaces(&self) -> Vec<String> {
        serde_json::from_value(self.control(Control::Namespaces).await).unwrap()
    }

    /// Returns how many subscribers a topic has.
    pub async fn subscribers(&self, namespace: Option<&str>, topic: &str) -> u64 {
        let control = Control::Count {
            namespace: namespace.map(str::to_owned),
            topic: topic.to_owned(),
        };
        self.control(control).await.as_u64().unwrap()
    }

    /// Applies a control. Returns whether it found its peer.
    pub async fn found(&self, control: Control) -> bool {
        self.control(control).await.as_bool().unwrap()
    }

    /// Returns one of the hub's counters.
    pub async fn stat(&self, name: &str) -> u64 {
        self.control(Control::Stats).await[name].as_u64().unwrap()
    }

    /// Returns what one peer has queued and lost: `buffered` and `dropped`.
    pub async fn backlog(&self, id: PeerId) -> Value {
        self.control(Control::Backlog { id }).await
    }

    /// Sends a plain HTTP request.
    pub async fn http(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.0.http(request).await
    }

    /// Opens a raw connection.
    pub async fn raw(&self) -> Box<dyn Raw> {
        self.0.raw().await
    }

    /// Opens a WebSocket for a target, to send bytes on it, with offers of extensions if there are any.
    ///
    /// # Errors
    /// Returns the status of a refusal.
    pub async fn frames(&self, target: String, offers: &str) -> Result<Framed, u16> {
        self.0.frames(target, offers.to_owned()).await
    }

    /// Shuts down with the adapter's own frame.
    pub async fn shutdown(&self, deadline: Duration) -> Report {
        self.0
            .shutdown(Shutdown {
                frame: None,
                deadline,
            })
            .await
    }

    /// Asserts that a new client is served as usual. Cases call it after hostile input.
    pub async fn serves(&self) {
        let mut peer = self.join("/well-behaved", "well-behaved").await;
        peer.say("still there?").await;
        peer.hears("still there?").await;
        peer.leave().await;
    }
}

thread_local! {
    /// The time that the case of this thread has let pass.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Returns the time that the case of this thread has let pass since the last call.
pub(crate) fn take_passed() -> Duration {
    PASSED.take()
}

/// Runs two futures concurrently to their ends.
pub(crate) async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut a_done, mut b_done) = (None, None);
    std::future::poll_fn(|cx| {
        if a_done.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(cx)
        {
            a_done = Some(output);
        }
        if b_done.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(cx)
        {
            b_done = Some(output);
        }
        match (a_done.take(), b_done.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (a_done, b_done) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}
