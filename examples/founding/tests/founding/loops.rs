//! Loops that own their connections.

use std::time::Duration;

use crossws_conformance::{Event, Frame};
use serde_json::{Value, json};

use crate::World;
use crate::client::{Client, connect, get, post, refused};

/// Waits until this many have been cleaned up after.
async fn cleanups(world: &dyn World, terminal: usize, notifications: usize) {
    let expected = json!({ "terminal": terminal, "notifications": notifications });
    loop {
        let cleanups = get(world, "/_socket/cleanups").await;
        if cleanups == expected {
            return;
        }
        let too_many = |name| cleanups[name].as_u64() > expected[name].as_u64();
        assert!(
            !too_many("terminal") && !too_many("notifications"),
            "{cleanups}, not {expected}"
        );
        world.sleep(Duration::from_millis(20)).await;
    }
}

async fn ends_with(client: &mut Client, code: u16) {
    let close = client.event().await;
    assert!(
        matches!(close, Event::Close(Some((sent, _))) if sent == code),
        "{close:?}"
    );
}

pub(crate) async fn a_terminal_skips_what_is_no_frame(world: &dyn World) {
    let mut client = connect(world, "/_socket/tools/terminal").await;
    for data in [json!("ls\n"), json!({ "a": 1 }), json!(null)] {
        for skipped in [
            "no json",
            "{}",
            r#"{"type":"resize"}"#,
            r#"{"type":"data"}"#,
            "[]",
        ] {
            client.send(skipped).await;
        }
        client.frame(Frame::Binary(b"\xff".to_vec())).await;
        let frame = json!({ "type": "data", "data": data });
        assert_eq!(client.ask(&frame).await, frame);
    }
}

pub(crate) async fn a_terminal_is_cleaned_up_once_however_it_ends(world: &dyn World) {
    let path = "/_socket/tools/terminal";
    cleanups(world, 0, 0).await;
    let mut exits = connect(world, path).await;
    let (closes, vanishes) = (connect(world, path).await, connect(world, path).await);
    let mut stays = connect(world, path).await;
    exits.send(json!({ "type": "exit" })).await;
    ends_with(&mut exits, 1000).await;
    cleanups(world, 1, 0).await;
    closes.close().await;
    cleanups(world, 2, 0).await;
    vanishes.vanish();
    cleanups(world, 3, 0).await;
    let frame = json!({ "type": "data", "data": 1 });
    assert_eq!(stays.ask(&frame).await, frame);
    cleanups(world, 3, 0).await;
}

async fn push(world: &dyn World, user: &str, text: &str) -> Value {
    let body = json!({ "user": user, "text": text }).to_string();
    let (status, answer) = post(world, "/_socket/push", &body).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&answer).unwrap()
}

/// Waits until this many connections of a user have joined. The response to an upgrade comes before.
async fn joined(world: &dyn World, user: &str, count: usize) {
    while push(world, user, "ready?").await != json!({ "sent": count }) {
        world.sleep(Duration::from_millis(5)).await;
    }
}

/// Takes the next text that is not about [`joined`].
async fn told(client: &mut Client) -> Value {
    loop {
        let told = client.json().await;
        if told != json!({ "text": "ready?" }) {
            return told;
        }
    }
}

pub(crate) async fn all_connections_of_a_user_are_told(world: &dyn World) {
    let mut anns = [
        connect(world, "/_socket/tools/notifications?user=Ann%20B").await,
        connect(world, "/_socket/tools/notifications?user=Ann%20B").await,
    ];
    let mut bob = connect(world, "/_socket/tools/notifications?user=bob").await;
    joined(world, "Ann B", 2).await;
    joined(world, "bob", 1).await;
    assert_eq!(push(world, "Ann B", "hi").await, json!({ "sent": 2 }));
    assert_eq!(push(world, "nobody", "hi").await, json!({ "sent": 0 }));
    for client in &mut anns {
        assert_eq!(told(client).await, json!({ "text": "hi" }));
    }
    // The loop has returned, and messages to it are discarded.
    bob.send("ignored").await;
    assert_eq!(push(world, "bob", "you").await, json!({ "sent": 1 }));
    assert_eq!(told(&mut bob).await, json!({ "text": "you" }));

    let [first, second] = anns;
    first.close().await;
    cleanups(world, 0, 1).await;
    second.vanish();
    cleanups(world, 0, 2).await;
    assert_eq!(push(world, "Ann B", "gone").await, json!({ "sent": 0 }));
    assert_eq!(push(world, "bob", "still").await, json!({ "sent": 1 }));
    bob.expect(json!({ "text": "still" })).await;
}

pub(crate) async fn what_is_no_push_is_refused(world: &dyn World) {
    let mut client = connect(world, "/_socket/tools/notifications?user=u").await;
    joined(world, "u", 1).await;
    for body in ["", "text", "[]", "{}", r#"{"user":"u"}"#, r#"{"text":"t"}"#] {
        let (status, _) = post(world, "/_socket/push", body).await;
        assert!([400, 422].contains(&status.as_u16()), "{body}: {status}");
    }
    assert_eq!(push(world, "u", "first").await, json!({ "sent": 1 }));
    assert_eq!(told(&mut client).await, json!({ "text": "first" }));
    let (status, _) = refused(world, "/_socket/tools/notifications", &[]).await;
    assert_eq!(status, 400);
}

/// Types into the shell, and reads until this is shown.
async fn type_until(client: &mut Client, typed: &str, shown: &str) -> String {
    client.send(json!({ "type": "data", "data": typed })).await;
    let mut all = String::new();
    while !all.contains(shown) {
        let frame = client.json().await;
        assert_eq!(frame["type"], "data");
        all.push_str(frame["data"].as_str().unwrap());
    }
    all
}

pub(crate) async fn a_shell_has_a_real_terminal(world: &dyn World) {
    let mut client = connect(world, "/_socket/pty").await;
    client.send("no frame").await;
    type_until(&mut client, "echo $((40+2))\n", "42\r\n").await;
    type_until(&mut client, "test -t 0 && echo is-a-\"\"tty\n", "is-a-tty").await;
    client
        .send(json!({ "type": "data", "data": "exit 3\n" }))
        .await;
    loop {
        let frame = client.json().await;
        if frame["type"] != "data" {
            assert_eq!(frame, json!({ "type": "exit", "code": 3 }));
            break;
        }
    }
    ends_with(&mut client, 1000).await;
}

pub(crate) async fn a_shell_dies_with_its_connection(world: &dyn World) {
    // One that has let its terminal go, and one that takes nothing of what is typed.
    let alone = "echo pid=$$=\"\"pid; exec sleep 1000 <&- >&- 2>&-\n";
    let deaf = "echo pid=$$=\"\"pid; sleep 1000\n";
    for (program, typed) in [(deaf, 0), (deaf, 8), (alone, 0)] {
        for vanishes in [false, true] {
            let mut client = connect(world, "/_socket/pty").await;
            let shown = type_until(&mut client, program, "=pid").await;
            let pid = shown.rsplit("pid=").next().unwrap();
            let pid: i32 = pid.split('=').next().unwrap().parse().unwrap();
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            let lives = || rustix::process::test_kill_process(pid).is_ok();
            assert!(lives());
            for _ in 0..typed {
                let line = format!("{}\n", "y".repeat(4000));
                client.send(json!({ "type": "data", "data": line })).await;
            }
            match vanishes {
                true => client.vanish(),
                false => client.close().await,
            }
            while lives() {
                world.sleep(Duration::from_millis(10)).await;
            }
        }
    }
}
