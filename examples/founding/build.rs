//! Turns the files of `src/sockets` into routes below `/api/ws`.

fn main() {
    crossws_codegen::routes("src/sockets")
        .base("/api/ws")
        .write();
}
