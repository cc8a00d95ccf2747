//! The main path: who enters, what is said, what everyone sees.

use tests::{World, said};

#[tokio::test]
async fn what_one_says_the_other_sees_with_the_name_in_the_certificate() {
    let w = World::start().await;
    let (mut alice, mut bob) = w.pair("alice", "张三").await;
    alice.say("hello").await;
    assert_eq!(bob.next_said().await, said("alice", "hello"));
    bob.say("你好").await;
    assert_eq!(
        alice.next_said().await,
        said("alice", "hello"),
        "own lines come back too"
    );
    assert_eq!(alice.next_said().await, said("张三", "你好"));
}
