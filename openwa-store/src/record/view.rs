//! The macro that describes what a value looks like from outside when its Rust form is no plain struct.

/// `view! { /// doc … Type as Name (it) { /// doc … field: type = expression of `it`, } }`.
macro_rules! view {
    (
        $(#[doc = $doc:literal])+
        $type:ty as $name:ident($it:pat) {
            $($(#[doc = $fdoc:literal])+ $field:ident: $fty:ty = $value:expr,)+
        }
    ) => {
        impl $crate::record::Shaped for $type {
            const SHAPE: &'static $crate::record::Shape = {
                // A static has one address, which is how a record knows its shape.
                static SHAPE: $crate::record::Shape = $crate::record::Shape {
                    name: stringify!($name),
                    doc: concat!($($doc,)+).trim_ascii(),
                    fields: &[$($crate::record::shape!(
                        @field output [] stringify!($field), $fty, concat!($($fdoc,)+)
                    ),)+],
                };
                &SHAPE
            };
        }

        impl $crate::record::Described for $type {
            const TYPE: $crate::record::Type =
                $crate::record::Type::Record(<$type as $crate::record::Shaped>::SHAPE);
        }

        impl $crate::record::IntoRecord for $type {
            fn into_record(self) -> $crate::record::Record {
                let $it = self;
                $crate::record::Record::of(
                    <$type as $crate::record::Shaped>::SHAPE,
                    vec![$($crate::record::IntoValue::into_value({ let value: $fty = $value; value }),)+],
                )
            }
        }

        impl $crate::record::IntoValue for $type {
            fn into_value(self) -> $crate::record::Value {
                $crate::record::Value::Record($crate::record::IntoRecord::into_record(self))
            }
        }
    };
}
pub(crate) use view;
