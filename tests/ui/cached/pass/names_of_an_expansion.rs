use cache_runtime::{cached, invalidates};

#[allow(clippy::too_many_arguments)]
#[cached(
    key = "<key>:<cache>:<result>:<call>:<body>:<shape>:<w>:<site>:<sharing>:<writer>:<returned>:<effects>:<__self>:<site_>",
    ttl = 60
)]
async fn names(
    key: u8,
    cache: u8,
    result: u8,
    call: u8,
    body: u8,
    shape: u8,
    w: u8,
    site: u8,
    sharing: u8,
    writer: u8,
    returned: u8,
    effects: u8,
    __self: u8,
    site_: u8,
) -> u8 {
    key + cache + result + call + body + shape + w + site + sharing + writer + returned + effects + __self + site_
}

#[invalidates("<key>:<part_0>:<return>", "<effects>:<returned>:<writer>")]
async fn change(key: String, part_0: String, effects: u8, returned: u8, writer: u8) -> u8 {
    drop((key, part_0));
    effects + returned + writer
}

mod without_coverage {
    #![allow(non_upper_case_globals)]
    const _shape: u8 = 0;
    const _call: u8 = 0;

    #[cache_runtime::cached(key = "constants", ttl = 60)]
    pub async fn constants() -> u8 {
        _shape + _call
    }
}

#[tokio::main]
async fn main() {
    assert_eq!(names(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1).await, 14);
    assert_eq!(change("k".into(), "p".into(), 1, 2, 3).await, 6);
    assert_eq!(without_coverage::constants().await, 0);
}
