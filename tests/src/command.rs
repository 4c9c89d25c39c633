use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A command for a hook to run with its peer. A text message that is a JSON array of these is run
/// in order; any other message is echoed unchanged.
///
/// The result of a command is recorded in the journal as an entry `did`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Do {
    /// Send a text.
    Send {
        /// The text.
        text: String,
    },
    /// Send a binary message.
    SendBinary {
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Send a value as JSON.
    SendJson {
        /// The value.
        value: Value,
    },
    /// Send `count` texts of `size` bytes, numbered at their beginning.
    Flood {
        /// How many.
        count: usize,
        /// How long each.
        size: usize,
    },
    /// Publish `count` texts of `size` bytes, numbered at their beginning.
    FloodTopic {
        /// The topic.
        topic: String,
        /// How many.
        count: usize,
        /// How long each.
        size: usize,
    },
    /// Subscribe.
    Subscribe {
        /// The topic.
        topic: String,
    },
    /// Unsubscribe.
    Unsubscribe {
        /// The topic.
        topic: String,
    },
    /// Subscribe to a pattern.
    SubscribePattern {
        /// The pattern.
        pattern: String,
    },
    /// Unsubscribe from a pattern.
    UnsubscribePattern {
        /// The pattern.
        pattern: String,
    },
    /// Give the peer a tag.
    Tag {
        /// The tag.
        tag: String,
    },
    /// Take a tag from the peer.
    Untag {
        /// The tag.
        tag: String,
    },
    /// Give the peer an identity.
    Identify {
        /// The identity; none to take it away.
        identity: Option<String>,
    },
    /// Send a text to the connections of an identity or with a tag.
    SendToGroup {
        /// The group.
        group: Group,
        /// Leave out those with this tag.
        #[serde(default)]
        except_tagged: Option<String>,
        /// To those of this hub alone.
        #[serde(default)]
        here: bool,
        /// The text.
        text: String,
    },
    /// Close the connections of an identity or with a tag.
    CloseGroup {
        /// The group.
        group: Group,
        /// The code.
        code: u16,
    },
    /// Publish a text to those subscribers that have the right labels.
    PublishToSome {
        /// The topic.
        topic: String,
        /// Only those with this tag.
        #[serde(default)]
        tagged: Option<String>,
        /// Not those with this tag.
        #[serde(default)]
        except_tagged: Option<String>,
        /// Not those of this identity.
        #[serde(default)]
        except_identity: Option<String>,
        /// The text.
        text: String,
    },
    /// Publish a text.
    Publish {
        /// The topic.
        topic: String,
        /// The text.
        text: String,
        /// Whether the publisher gets it too.
        #[serde(default)]
        itself: bool,
    },
    /// Publish a text that the topic retains.
    PublishRetained {
        /// The topics.
        topics: Vec<String>,
        /// Not to the subscribers of these.
        #[serde(default)]
        except: Vec<String>,
        /// The text.
        text: String,
    },
    /// Publish a value as JSON.
    PublishJson {
        /// The topic.
        topic: String,
        /// The value.
        value: Value,
    },
    /// Publish a binary message.
    PublishBinary {
        /// The topic.
        topic: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Publish a text to the subscribers of several topics, without those of others.
    PublishToEach {
        /// The topics; `None` for all topics of the peer.
        topics: Option<Vec<String>>,
        /// The topics whose subscribers are excluded.
        #[serde(default)]
        except: Vec<String>,
        /// The text.
        text: String,
        /// Whether the publisher gets it too.
        #[serde(default)]
        itself: bool,
    },
    /// Send a text that is discarded if it would have to wait.
    Volatile {
        /// To the subscribers of this topic, or to the peer itself.
        topic: Option<String>,
        /// The text.
        text: String,
    },
    /// Send a text that replaces a waiting one with the same key.
    Keyed {
        /// To the subscribers of this topic, or to the peer itself.
        topic: Option<String>,
        /// The key.
        key: String,
        /// The text.
        text: String,
    },
    /// Send to the whole namespace.
    Broadcast {
        /// The text.
        text: String,
        /// Whether the sender gets it too.
        #[serde(default)]
        itself: bool,
    },
    /// Fail.
    Fail {
        /// The error's text.
        text: String,
    },
    /// Panic.
    Panic,
    /// Close.
    Close {
        /// The code; 1005 for a frame without one.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// Drop the connection.
    Terminate,
    /// Ping.
    Ping {
        /// The payload.
        data: String,
    },
    /// Send a pong.
    Pong {
        /// The payload.
        data: String,
    },
    /// Wait until `Control::Release` opens the gate.
    Wait {
        /// The gate.
        gate: String,
    },
    /// Wait for `Peer::closed`, then note `closed`.
    AwaitClosed,
    /// Wait for `Peer::drained`, then note `drained` with what is buffered.
    AwaitDrained {
        /// The threshold.
        below: usize,
    },
    /// Send the peer's state as JSON.
    Report,
    /// Put an entry `note` into the journal.
    Note {
        /// Its detail.
        text: String,
    },
    /// Put the peer's state into the journal, as an entry `state`.
    State,
    /// Replace the context.
    SetContext {
        /// The new one.
        value: Value,
    },
    /// Add one to the context, which is a number.
    CountUp,
    /// At the connection's end, put an entry `cleanup` into the journal.
    OnClose {
        /// Its detail.
        text: String,
    },
    /// At the connection's end, drop a value that puts an entry `cleanup` into the journal.
    Hold {
        /// Its detail.
        text: String,
    },
    /// As `Flood`, and waits for room before each.
    FloodWhenReady {
        /// How many.
        count: usize,
        /// How long each.
        size: usize,
    },
    /// Let the credentials expire after this many milliseconds.
    Renew {
        /// How many.
        millis: u64,
    },
    /// Set a timer. The `timer` hook does what its name says, if that is a script, and else sends the
    /// name.
    SetTimer {
        /// The name.
        name: String,
        /// When it is due, in milliseconds from now.
        millis: u64,
    },
    /// Clear a timer.
    ClearTimer {
        /// The name.
        name: String,
    },
    /// Send numbered ticks until the connection ends, then note `ticks.end`.
    Ticks {
        /// The period in milliseconds.
        millis: u64,
    },
    /// Keep a volatile value.
    Remember {
        /// The value.
        text: String,
    },
    /// Send the volatile value, or nothing.
    Recall,
    /// Do this in a spawned future of the peer.
    Spawn {
        /// What the future does.
        then: Vec<Do>,
    },
    /// Send a text to the peer with this id, found on the hub.
    SendTo {
        /// The id.
        id: crossws_core::PeerId,
        /// The text.
        text: String,
    },
}

/// Connections that have something in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// An identity.
    Identity(String),
    /// A tag.
    Tag(String),
}

impl Do {
    /// Encodes several commands as the text of one message.
    pub fn script(commands: &[Self]) -> String {
        serde_json::to_string(commands).unwrap()
    }

    /// Returns the numbered text that `Flood` sends at `index`.
    pub fn numbered(index: usize, size: usize) -> String {
        format!("{index:08}{}", "x".repeat(size.saturating_sub(8)))
    }
}
