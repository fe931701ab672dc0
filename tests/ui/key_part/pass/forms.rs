use cache_runtime::{Key, KeyPart};

#[derive(KeyPart)]
struct UserId(u64);

#[derive(KeyPart)]
struct Named {
    id: Option<u64>,
}

#[derive(KeyPart)]
struct Borrowed<'a>(&'a str);

#[derive(KeyPart)]
struct Generic<T>(T);

#[derive(KeyPart)]
struct Unsized<T: ?Sized>(Box<T>);

#[derive(KeyPart)]
enum Region {
    Europe,
    r#Asia = 5,
}

#[derive(KeyPart)]
enum Never {}

fn render(part: &impl KeyPart) -> String {
    Key::of("k").part(part).as_str().to_owned()
}

fn main() {
    assert_eq!(render(&UserId(1)), "k:1");
    assert_eq!(render(&Named { id: None }), "k:%n");
    assert_eq!(render(&Borrowed("a:b")), "k:a%3Ab");
    assert_eq!(render(&Generic(5)), "k:5");
    assert_eq!(render(&Unsized::<str>("x".into())), "k:x");
    assert_eq!(render(&Region::Europe), "k:Europe");
    assert_eq!(render(&Region::Asia), "k:Asia");
    let _: Option<Never> = None;
}
