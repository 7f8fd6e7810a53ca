//! What a careful author would write by hand on the store's own tables: prepared statements, 500 rows to an INSERT with
//! UNNEST, and COPY.

use std::collections::HashSet;

use openwa_store::{Timestamp, Uuid};
use openwa_tests::cluster::Sql;
use tokio_postgres::types::ToSql;

use crate::Random;

/// A message as both sides get it.
pub struct Sample {
    pub wa_message_id: String,
    pub chat_id: String,
    pub body: String,
    pub at: Timestamp,
}

/// Messages of 300 bytes in 500 chats, one a second, beginning with a month.
pub fn samples(count: usize) -> Vec<Sample> {
    let mut random = Random(88_172_645_463_325_252);
    let body = "x".repeat(300);
    let mut seen = HashSet::new();
    (0..count)
        .map(|i| {
            let id = std::iter::repeat_with(|| random.draw()).find(|id| seen.insert(*id)).expect("endless");
            Sample {
                wa_message_id: format!("3EB0{id:016X}"),
                chat_id: format!("1202555{:04}@s.whatsapp.net", random.draw() % 500),
                body: body.clone(),
                at: Timestamp::from_millis(1_767_225_600_000 + i as i64 * 1000).expect("time"),
            }
        })
        .collect()
}

/// Duplicates are dropped by the reference table, as the store does it, but nobody is told which they were.
const INSERT: &str = "
WITH t AS (
  SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS t (wa_message_id, chat_id, body, at)),
taken AS (
  INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at)
  SELECT $1::text::uuid, wa_message_id, gen_random_uuid(), at::timestamptz FROM t
  ORDER BY wa_message_id ON CONFLICT DO NOTHING RETURNING wa_message_id, message_id)
INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, body, ack, from_me, is_group,
                      wa_timestamp, created_at)
SELECT message_id, $1::text::uuid, wa_message_id, chat_id, chat_id, 'text', body, NULL, false, false,
       at::timestamptz, at::timestamptz
FROM t JOIN taken USING (wa_message_id)";

pub fn insert_batches(sql: &mut Sql, session: Uuid, messages: &[Sample], batch: usize) -> usize {
    let session = session.to_string();
    sql.with(async |client| {
        let statement = client.prepare(INSERT).await.expect("prepare");
        for part in messages.chunks(batch) {
            let column = |of: fn(&Sample) -> String| part.iter().map(of).collect::<Vec<_>>();
            let columns = [
                column(|m| m.wa_message_id.clone()),
                column(|m| m.chat_id.clone()),
                column(|m| m.body.clone()),
                column(|m| m.at.to_string()),
            ];
            let mut params: Vec<&(dyn ToSql + Sync)> = vec![&session];
            params.extend(columns.iter().map(|c| c as &(dyn ToSql + Sync)));
            client.execute(&statement, &params).await.expect("insert");
        }
        messages.len()
    })
}

/// The rows as COPY reads them, prepared beforehand: one text per table.
pub fn copy_texts(session: Uuid, messages: &[Sample]) -> (String, String) {
    let (mut ids, mut rows) = (String::new(), String::new());
    for (n, m) in messages.iter().enumerate() {
        // Ids that rise, as the store's do.
        let id = Uuid::from_u128((0x0199_0000_0000_7000_8000_0000_0000_0000 | (n as u128)) + (1 << 64));
        let (wa, chat, body, at) = (&m.wa_message_id, &m.chat_id, &m.body, &m.at);
        ids.push_str(&format!("{session}\t{wa}\t{id}\t{at}\n"));
        rows.push_str(&format!(
            "{id}\t{session}\t{wa}\t{chat}\t{chat}\ttext\t{body}\t\\N\tf\tf\t{at}\t{at}\n"
        ));
    }
    (ids, rows)
}

/// Both tables in one transaction.
pub fn copy(sql: &mut Sql, ids: &str, rows: &str) {
    const TABLES: [&str; 2] = [
        "COPY message_ids (session_id, wa_message_id, message_id, created_at) FROM STDIN",
        "COPY messages (id, session_id, wa_message_id, chat_id, from_number, type, body, ack, from_me, is_group, \
         wa_timestamp, created_at) FROM STDIN",
    ];
    sql.with(async |client| {
        let transaction = client.transaction().await.expect("begin");
        for (table, text) in TABLES.into_iter().zip([ids, rows]) {
            let sink = transaction.copy_in::<_, bytes::Bytes>(table).await.expect("copy");
            let mut sink = std::pin::pin!(sink);
            for part in text.as_bytes().chunks(1 << 18) {
                use futures::SinkExt;
                sink.send(bytes::Bytes::copy_from_slice(part)).await.expect("send");
            }
            sink.finish().await.expect("finish");
        }
        transaction.commit().await.expect("commit");
    });
}
