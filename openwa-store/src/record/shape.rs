//! The macro that describes a struct where it stands.

/// Describes a struct: `shape! { input: /// doc … pub struct … }`.
///
/// * `input` can be taken in. What is an `Option`, a `bool` or a list of names with a default may be left out.
/// * `update` can be taken in, and `None` means "leave it": null is a value only of an `Option<Option<…>>`.
/// * `output` can be given out.
/// * `input of Entity`: limits and secrecy are those of the entity's columns with the same name.
macro_rules! shape {
    ($mode:ident: $($item:tt)+) => { $crate::record::shape!(@struct $mode [] $($item)+); };
    ($mode:ident of $entity:ident: $($item:tt)+) => { $crate::record::shape!(@struct $mode [$entity] $($item)+); };
    (
        @struct $mode:ident $of:tt
        $(#[doc = $doc:literal])+
        #[derive($($derive:ident),+)]
        $vis:vis struct $name:ident {
            $($(#[doc = $fdoc:literal])+ $fvis:vis $field:ident: $type:ty,)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive($($derive),+)]
        $vis struct $name { $($(#[doc = $fdoc])+ $fvis $field: $type,)+ }

        impl $crate::record::Shaped for $name {
            const SHAPE: &'static $crate::record::Shape = {
                // A static has one address, which is how a record knows its shape.
                static SHAPE: $crate::record::Shape = $crate::record::Shape {
                    name: stringify!($name),
                    doc: concat!($($doc,)+).trim_ascii(),
                    fields: &[$($crate::record::shape!(
                        @field $mode $of $crate::entity::column_name(stringify!($field)), $type, concat!($($fdoc,)+)
                    ),)+],
                };
                &SHAPE
            };
        }

        impl $crate::record::Described for $name {
            const TYPE: $crate::record::Type =
                $crate::record::Type::Record(<$name as $crate::record::Shaped>::SHAPE);
        }

        $crate::record::shape!(@impl $mode $name { $($field: $type,)+ });
    };
    (@field output $of:tt $field:expr, $type:ty, $doc:expr) => {
        $crate::record::Field {
            name: $field,
            doc: $doc.trim_ascii(),
            ty: <$type as $crate::record::Described>::TYPE,
            required: false,
            nullable: <$type as $crate::record::Described>::NULLABLE,
            limit: None,
            secret: <$type as $crate::record::Described>::SECRET,
        }
    };
    (@field input $of:tt $field:expr, $type:ty, $doc:expr) => {
        $crate::record::Field {
            required: <$type as $crate::record::FromValue>::REQUIRED,
            limit: $crate::record::shape!(@limit $of $field),
            secret: $crate::record::shape!(@secret $of $field)
                || <$type as $crate::record::Described>::SECRET,
            ..$crate::record::shape!(@field output $of $field, $type, $doc)
        }
    };
    (@field update $of:tt $field:expr, $type:ty, $doc:expr) => {
        $crate::record::Field {
            required: false,
            nullable: <$type as $crate::record::Described>::EMPTIES,
            ..$crate::record::shape!(@field input $of $field, $type, $doc)
        }
    };
    (@limit [] $field:expr) => { None };
    (@limit [$entity:ident] $field:expr) => { $crate::entity::limit_of($entity::TABLE, $field) };
    (@secret [] $field:expr) => { false };
    (@secret [$entity:ident] $field:expr) => { $crate::entity::is_secret($entity::TABLE, $field) };
    (@impl output $name:ident { $($field:ident: $type:ty,)+ }) => {
        impl $crate::record::IntoRecord for $name {
            fn into_record(self) -> $crate::record::Record {
                $crate::record::Record::of(
                    <$name as $crate::record::Shaped>::SHAPE,
                    vec![$($crate::record::IntoValue::into_value(self.$field)),+],
                )
            }
        }

        impl $crate::record::IntoValue for $name {
            fn into_value(self) -> $crate::record::Value {
                $crate::record::Value::Record($crate::record::IntoRecord::into_record(self))
            }
        }
    };
    (@impl input $name:ident { $($field:ident: $type:ty,)+ }) => {
        impl $crate::record::FromValue for $name {
            const REQUIRED: bool = <$name as $crate::record::Shaped>::SHAPE.needs_input();
            fn absent(field: &'static str) -> $crate::error::Result<Self> {
                if Self::REQUIRED {
                    let wanted = <$name as $crate::record::Described>::TYPE;
                    return Err($crate::record::Value::Absent.refused(field, &wanted));
                }
                Self::given($crate::record::Record::empty(<$name as $crate::record::Shaped>::SHAPE).into(), field)
            }
            $crate::record::shape!(@given $name { $($field,)+ });
        }
    };
    (@impl update $name:ident { $($field:ident: $type:ty,)+ }) => {
        impl $crate::record::FromValue for $name {
            $crate::record::shape!(@given $name { $($field,)+ });
        }
    };
    (@given $name:ident { $($field:ident,)+ }) => {
        fn given(value: $crate::record::Value, field: &'static str) -> $crate::error::Result<Self> {
            let mut values = value.fields_of(<$name as $crate::record::Shaped>::SHAPE, field)?.into_iter();
            Ok($name {
                $($field: $crate::record::next_field(
                    &mut values,
                    $crate::entity::column_name(stringify!($field)),
                )?,)+
            })
        }
    };
}
pub(crate) use shape;
