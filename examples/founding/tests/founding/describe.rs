//! What is generated from the routes. `tests/typescript` compiles the client and drives it.

use founding::{described, describes};

#[test]
fn each_route_has_a_function_and_a_channel() {
    let (document, client) = described().unwrap();
    let (name, code) = client.files().next().unwrap();
    assert_eq!(name, "sockets.ts");
    for function in [
        "connect(options",
        "connectChat(options",
        "connectRooms(params: { id: PathValue }, ",
        "connectFiles(params: { rest: PathValue }, ",
        "connectMockWsChat(options?: Options<ChatQuery>): Socket<FromGuest, ToGuest> {",
        "connectSocketWorkers(params: { worker: PathValue }, ",
        "connectRoomsByRoom(params: { room: PathValue }, ",
    ] {
        let function = format!("\nexport function {function}");
        assert!(code.contains(&function), "{function}");
    }
    let document = document.document();
    let channels = document["channels"].as_object().unwrap();
    assert_eq!(
        channels.len(),
        code.matches("export function connect").count()
    );
    assert_eq!(
        document["channels"]["files"]["address"],
        "/api/ws/files/{rest}"
    );
}

#[test]
fn a_command_that_is_none_is_an_error() {
    assert!(!describes([]).unwrap());
    let error = describes(["descibe".to_owned()]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("describe | client DIR | check DIR")
    );
}
