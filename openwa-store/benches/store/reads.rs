//! Reading: pages and walks of a chat.

use openwa_store::{MessageFilter, PageRequest, Text};

use crate::saves::{message, open, samples};
use crate::yardstick::Yardstick;
use crate::{Folder, Options, rate, versus};

pub fn run(options: &Options) {
    let mut messages = samples(50_000);
    // One long chat among the others.
    messages.iter_mut().step_by(10).for_each(|m| m.chat_id = "12025550199@s.whatsapp.net".to_owned());
    let chat = "12025550199@s.whatsapp.net";
    let folder = Folder::new("reads");
    let (store, session) = open(&folder);
    store.messages().save_many(session, messages.iter().map(message).collect()).wait().expect("saved");
    let y = Yardstick::open(folder.path());
    y.insert_batches(&messages, 1000);
    let filter = MessageFilter { chat: Some(Text::from(chat)), ..MessageFilter::default() };
    let pages = 2000;
    versus(
        options,
        "page of the 50 newest of a chat",
        0.9,
        || {
            rate(|| {
                (0..pages)
                    .map(|_| {
                        store
                            .messages()
                            .list(session, &filter, &PageRequest::default())
                            .expect("page")
                            .items
                            .len()
                    })
                    .sum()
            })
        },
        || rate(|| (0..pages).map(|_| y.page(chat, None, 50).len()).sum()),
    );
    versus(
        options,
        "keyset walk of a 5,000-message chat",
        0.9,
        || {
            rate(|| {
                let mut request = PageRequest::default();
                let mut seen = 0;
                loop {
                    let page = store.messages().list(session, &filter, &request).expect("page");
                    seen += page.items.len();
                    request.after = page.next;
                    if request.after.is_none() {
                        return seen;
                    }
                }
            })
        },
        || {
            rate(|| {
                let (mut at, mut seen) = (None, 0);
                loop {
                    let page = y.page(chat, at, 50);
                    seen += page.len();
                    match page.last() {
                        Some(last) => at = Some((last.wa_timestamp, last.id)),
                        None => return seen,
                    }
                }
            })
        },
    );
}
