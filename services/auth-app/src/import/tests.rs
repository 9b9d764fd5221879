use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn what_ocis_kept_is_read() {
    // recorded from the Go family
    let file = r#"{"idp:\"https://localhost:9200\"  opaque_id:\"801abee4-dd7f-11ef-a324-83f55a754b62\"  type:USER_TYPE_PRIMARY":
        {"$2a$11$YNTd2s/ktiERmKraAvzVeesUaPUKTs.SqisVLiihZ14/9BG3jA1Te":
        {"password":"$2a$11$YNTd2s/ktiERmKraAvzVeesUaPUKTs.SqisVLiihZ14/9BG3jA1Te",
         "token_scope":{"user":{"resource":{"decoder":"json","value":"eyJyb290X29ubHkiOmZhbHNlfQ=="},"role":1}},
         "label":"bench","user":{"idp":"https://localhost:9200","opaque_id":"801abee4-dd7f-11ef-a324-83f55a754b62","type":1},
         "expiration":{"seconds":1795576624},"ctime":{"seconds":1795317425},"utime":{"seconds":1795319600}}}}"#;
    let read = ocis(file.as_bytes()).expect("is read");
    let [one] = read.as_slice() else { panic!("not one") };
    assert_eq!(one.owner_id, "801abee4-dd7f-11ef-a324-83f55a754b62");
    assert_eq!((one.label.as_str(), one.scopes.as_slice()), ("bench", ["user".to_owned()].as_slice()));
    assert!(one.verifier.starts_with("$2a$11$YNTd2s"));
    assert_eq!((one.created, one.expires), (at(1_795_317_425), Some(at(1_795_576_624))));
    assert_eq!(one.last_used, Some(at(1_795_319_600)));
}

#[test]
fn owners_are_read_however_they_are_spaced() {
    for text in [
        r#"idp:"https://a" opaque_id:"u" type:USER_TYPE_PRIMARY"#,
        r#"idp:"https://a"  opaque_id:"u"  type:USER_TYPE_PRIMARY"#,
        r#"opaque_id:"u""#,
        r#"idp: "a b \" opaque_id:\"no\"" opaque_id : "u""#,
        r#"type:USER_TYPE_PRIMARY opaque_id:"u""#,
    ] {
        assert_eq!(ocis::opaque_id(text).as_deref(), Some("u"), "{text}");
    }
    assert_eq!(ocis::opaque_id(r#"opaque_id:"\303\244""#).as_deref(), Some("ä"));
    for wrong in ["", "opaque_id", r#"opaque_id:"""#, r#"opaque_id:"u"#, r#"idp:"opaque_id:u""#, r#"opaque_id:"\9""#] {
        assert_eq!(ocis::opaque_id(wrong), None, "{wrong}");
    }
    assert!(matches!(ocis(br#"{"unknown":{}}"#), Err(FormatError::Owner(_))));
}

#[test]
fn what_opencloud_kept_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = r#"{"0b0c7f9e-0000-4000-8000-000000000001":{"password":"$argon2id$v=19$m=65536,t=1,p=2$c2FsdA$aGFzaA",
        "token_scope":{"user":{"resource":{"decoder":"json","value":"e30="},"role":1}},"label":"Desktop",
        "expiration":{"seconds":1795576624},"ctime":{"seconds":1795317425}}}"#;
    std::fs::write(folder.path().join("4c510ada.json"), file).expect("writes");
    std::fs::write(folder.path().join("notes.txt"), "no").expect("writes");
    let read = opencloud(folder.path()).expect("is read");
    let [one] = read.as_slice() else { panic!("not one") };
    assert_eq!((one.id.as_str(), one.owner_id.as_str()), ("0b0c7f9e-0000-4000-8000-000000000001", "4c510ada"));
    assert_eq!((one.last_used, one.window), (None, None));
    std::fs::write(folder.path().join("broken.json"), "{").expect("writes");
    let (path, error) = opencloud(folder.path()).err().expect("is refused");
    assert!(path.ends_with("broken.json") && matches!(error, FormatError::Json(_)));
}

#[test]
fn what_cells_kept_is_read() {
    let row = r#"{"uuid":"7e0a0f3c-0000-4000-8000-000000000001","access_token":"sha256:00","pat_type":1,"label":"sync",
        "user_uuid":"u1","user_login":"marie","auto_refresh":600,"expire_at":1795576624,
        "created_at":"2026-11-20T00:00:00Z","updated_at":1795319600,"scopes":"[\"node:abc:rw\"]"}"#;
    for file in [format!("[{row}]"), row.to_owned(), format!("{row}\n{row}")] {
        let read = cells(file.as_bytes()).expect("is read");
        let one = &read[0];
        assert_eq!((one.owner_id.as_str(), one.owner_username.as_str()), ("u1", "marie"));
        assert_eq!((one.window, one.expires), (Some(Duration::from_mins(10)), Some(at(1_795_576_624))));
        assert_eq!(
            (one.verifier.as_str(), one.scopes.as_slice()),
            ("sha256:00", ["node:abc:rw".to_owned()].as_slice())
        );
        assert_eq!((one.created, one.last_used), (at(1_795_132_800), Some(at(1_795_319_600))));
    }
    let plain = cells(br#"[{"access_token":"plain","scopes":null,"expire_at":"1795576624"}]"#).expect("is read");
    let digest = "a116c9ed46d6207734a43317d30fd88f52ac8634c37d904bbf4e41d865f90475";
    assert_eq!(plain[0].verifier, format!("sha256:{digest}"));
    assert_eq!(
        (plain[0].scopes.as_slice(), plain[0].expires),
        (["user".to_owned()].as_slice(), Some(at(1_795_576_624)))
    );
    assert!(cells(br#"[{"scopes":[]}]"#).is_err(), "a row without a token is none");
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(text in ".{0,200}", json in r#"[\[\]{}":,a-z0-9\\]{0,80}"#) {
        for text in [text, json] {
            let _ = ocis(text.as_bytes());
            let _ = cells(text.as_bytes());
            let _ = ocis::opaque_id(&text);
        }
    }
}
