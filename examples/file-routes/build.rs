//! Turns the files of `src/sockets` into routes below `/api/ws`, and the functions that modules of
//! `src/pages` export into routes below `/_socket`.

fn main() {
    crossws_codegen::routes("src/sockets")
        .base("/api/ws")
        .write();
    crossws_codegen::sockets("src/pages").write();
}
