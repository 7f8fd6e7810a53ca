//! The README's quickstart: `cargo run -p openwa-store --example quickstart`.

use openwa_store::{MessageFilter, NewMessage, NewSession, PageRequest, Store};

fn main() -> openwa_store::Result<()> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "./data".to_owned());
    let store = Store::open(dir)?;
    let session = match store.sessions().find("shop-1")? {
        Some(session) => session,
        None => {
            store.sessions().create(NewSession { name: "shop-1".into(), ..NewSession::default() }).wait()?
        }
    };

    let message = NewMessage {
        wa_message_id: Some("3EB0C431C26A1916E07A".into()),
        chat_id: "12025550143@s.whatsapp.net".into(),
        from_number: "12025550143@s.whatsapp.net".into(),
        r#type: "text".into(),
        body: Some("hello".into()),
        ..NewMessage::default()
    };
    let saved = store.messages().save(session.id, message).wait()?;
    println!("{}", saved.outcome.name());

    let chat = MessageFilter { chat: Some("12025550143@s.whatsapp.net".into()), ..MessageFilter::default() };
    for message in store.messages().list(session.id, &chat, &PageRequest::default())?.items {
        println!("{} {}", message.wa_timestamp, message.body.unwrap_or_default());
    }
    Ok(())
}
