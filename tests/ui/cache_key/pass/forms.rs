use std::marker::PhantomData;

use cache_runtime::{CacheKey, KeyPart};

#[derive(CacheKey)]
#[cache_key("user:<id>", value = String)]
struct Named {
    id: u64,
}

#[derive(CacheKey)]
#[cache_key("pair:<0>-<1:hash>")]
struct Tuple(u64, String);

#[derive(CacheKey)]
#[cache_key("settings:global", value = Vec<u8>)]
struct Unit;

#[derive(CacheKey)]
#[cache_key("generic:<name>:<part>", value = Option<T>)]
struct Generic<'a, T, const N: usize> {
    name: &'a str,
    part: T,
    _array: PhantomData<[u8; N]>,
}

#[derive(CacheKey)]
#[cache_key("bounded:<part>")]
struct Bounded<T: Clone>
where
    T: KeyPart,
{
    part: Option<T>,
}

#[derive(CacheKey)]
#[cache_key("raw:<type>:<inner.id>")]
struct Raw {
    r#type: u64,
    inner: Named,
}

#[derive(CacheKey)]
#[cache_key("split:<id>")]
#[cache_key(value = u64)]
struct Split {
    id: u64,
}

fn template(key: &impl CacheKey) -> String {
    key.template().into_owned()
}

fn main() {
    assert_eq!(template(&Named { id: 1 }), "user:<id>");
    assert_eq!(template(&Tuple(1, "x".into())), "pair:<0>-<1:hash>");
    assert_eq!(template(&Unit), "settings:global");
    let generic: Generic<'_, u8, 3> = Generic {
        name: "x",
        part: 1,
        _array: PhantomData,
    };
    assert_eq!(template(&generic), "generic:<name>:<part>");
    assert_eq!(template(&Bounded { part: Some(1_u8) }), "bounded:<part>");
    let raw = Raw {
        r#type: 1,
        inner: Named { id: 2 },
    };
    assert_eq!(template(&raw), "raw:<type>:<inner.id>");
    assert_eq!(template(&Split { id: 1 }), "split:<id>");
}
