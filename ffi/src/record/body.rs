//! What a record holds, and the texts and records that were made of it.

use std::sync::OnceLock;

use ::openwa_store::face::{Record, Shape, Type, Value};
use ::openwa_store::{Error, Kind, Result, Uuid};

use super::openwa_record;
use crate::handle;
use crate::text::openwa_str;

/// What a record holds.
pub(crate) struct Body {
    source: Source,
    /// Each column of UUIDs. Every row has two or three, and nearly everybody asks for their text.
    ids: Vec<IdText>,
    /// Texts and records that were asked for and have to stand somewhere, by column.
    derived: OnceLock<Box<[OnceLock<Derived>]>>,
}

struct IdText {
    column: usize,
    id: Option<Uuid>,
    text: [u8; 36],
}

impl IdText {
    /// One for each column of UUIDs.
    fn all(shape: &Shape) -> Vec<Self> {
        let columns = shape.fields.iter().enumerate().filter(|(_, field)| matches!(field.ty, Type::Uuid));
        columns.map(|(column, _)| IdText { column, id: None, text: [0; 36] }).collect()
    }

    /// The rows of a page have their session in common, which is not written anew.
    fn renew(&mut self, values: &[Value]) {
        let id = if let Value::Uuid(id) = &values[self.column] { Some(*id) } else { None };
        if self.id != id {
            self.id = id;
            id.unwrap_or_default().hyphenated().encode_lower(&mut self.text);
        }
    }
}

enum Source {
    Owned(Record),
    /// A record inside a record, which must stay as it is meanwhile.
    Inner(*const Record),
}

pub(super) enum Derived {
    Text(Box<str>),
    Record(*mut openwa_record),
}

impl Drop for Derived {
    fn drop(&mut self) {
        if let Derived::Record(inner) = self {
            unsafe { handle::free(*inner) };
        }
    }
}

impl Body {
    pub(crate) fn new(record: Record) -> Self {
        Body::of(Source::Owned(record))
    }

    #[inline]
    pub(crate) fn record(&self) -> &Record {
        match &self.source {
            Source::Owned(record) => record,
            // The record around this one outlives it: C was told so.
            Source::Inner(record) => unsafe { &**record },
        }
    }

    /// Puts another record in the place of this one; what was derived from that is gone.
    pub(crate) fn replace(&mut self, record: Record) {
        if !std::ptr::eq(self.record().shape(), record.shape()) {
            self.ids = IdText::all(record.shape());
        }
        self.source = Source::Owned(record);
        self.changed();
    }

    fn of(source: Source) -> Self {
        let mut body = Body { source, ids: Vec::new(), derived: OnceLock::new() };
        body.ids = IdText::all(body.record().shape());
        body.changed();
        body
    }

    fn changed(&mut self) {
        let Body { source, ids, derived } = self;
        let record = match source {
            Source::Owned(record) => record,
            Source::Inner(record) => unsafe { &**record },
        };
        ids.iter_mut().for_each(|it| it.renew(record.values()));
        if let Some(slots) = derived.get_mut() {
            slots.iter_mut().for_each(|slot| drop(slot.take()));
        }
    }

    /// The text of the UUID in a column.
    #[inline]
    pub(super) fn id(&self, index: usize) -> openwa_str {
        let found = self.ids.iter().find(|it| it.column == index && it.id.is_some());
        found.map_or(openwa_str::NONE, |it| openwa_str { ptr: it.text.as_ptr().cast(), len: it.text.len() })
    }

    /// What is derived from a column, made when it is asked for first.
    pub(super) fn derived(&self, index: usize, make: impl FnOnce() -> Derived) -> &Derived {
        let slots = self.derived.get_or_init(|| {
            let columns = self.record().values().len();
            (0..columns).map(|_| OnceLock::new()).collect()
        });
        slots[index].get_or_init(make)
    }

    pub(super) fn set(&mut self, index: usize, value: Value) -> Result<()> {
        match &mut self.source {
            Source::Owned(record) => record.set(index, value)?,
            Source::Inner(_) => {
                let text = "a record inside another one cannot be changed; set it as a whole";
                return Err(Error::new(Kind::InvalidArgument, text));
            }
        }
        self.changed();
        Ok(())
    }

    /// The value of a column; `Null` when nothing is given.
    #[inline]
    pub(super) fn value(&self, index: usize) -> &Value {
        match &self.record().values()[index] {
            Value::Absent => &Value::Null,
            value => value,
        }
    }

    #[cold]
    pub(super) fn wrong<T>(&self, index: usize, getter: &str) -> Result<T> {
        let field = &self.record().shape().fields[index];
        let text = format!("{} is {}; {getter} cannot read it", field.name, field.ty);
        Err(Error::invalid(field.name, text))
    }

    pub(super) fn inner(record: &Record) -> Self {
        Body::of(Source::Inner(record))
    }
}
