//! What is generated from the routes: a document, and a client that CI compares with them.

use crossws::BoxError;
use crossws_codegen::{AsyncApi, Generated, asyncapi, typescript};

/// Runs the command that the program's arguments name: `describe` prints the AsyncAPI document, `client
/// DIR` writes the TypeScript client, and `check DIR` fails if it is not what the routes generate.
/// Returns whether there was one.
pub fn describes(arguments: impl IntoIterator<Item = String>) -> Result<bool, BoxError> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => return Ok(false),
        ["describe"] => println!("{}", described()?.0),
        ["client", folder] => described()?.1.write(folder)?,
        ["check", folder] => described()?.1.check(folder)?,
        _ => return Err("use: founding [describe | client DIR | check DIR]".into()),
    }
    Ok(true)
}

/// Returns the document and the client.
pub fn described() -> Result<(AsyncApi, Generated), BoxError> {
    let description = crate::app().merge(crate::native()).describe()?;
    let document = asyncapi(&description)
        .title("The founding app")
        .version(env!("CARGO_PKG_VERSION"));
    Ok((document, typescript(&description)))
}
