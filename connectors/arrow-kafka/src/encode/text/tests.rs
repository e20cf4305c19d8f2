use super::*;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"x".to_vec();
    write(&mut out);
    String::from_utf8(out.split_off(1)).expect("text")
}

#[test]
fn doubles_are_written_as_java_does() {
    for (value, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (63.185_714_285_714_29, "63.18571428571429"),
        (0.001, "0.001"),
        (0.000_999_9, "9.999E-4"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (12_345_678.0, "1.2345678E7"),
        (-1e10, "-1.0E10"),
        (1e16, "1.0E16"),
        (1.5e300, "1.5E300"),
        (1e308, "1.0E308"),
        (1e-5, "1.0E-5"),
        (-1.25e-7, "-1.25E-7"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        assert_eq!(written(|out| double(value, out)), expected);
    }
    for (value, expected) in [
        (1.1_f32, "1.1"),
        (1e10, "1.0E10"),
        (3.402_823_5e38, "3.4028235E38"),
        (1e-5, "1.0E-5"),
        (0.001, "0.001"),
        (f32::NAN, "NaN"),
    ] {
        assert_eq!(written(|out| float(value, out)), expected);
    }
}

#[test]
fn decimals_are_written_as_flink_does() {
    for (unscaled, scale, stripped, plain) in [
        (14_600, 2, "146", "146.00"),
        (4_820, 2, "48.2", "48.20"),
        (10_103_333, 6, "10.103333", "10.103333"),
        (12_000, 2, "1.2E+2", "120.00"),
        (-120_000, 2, "-1.2E+3", "-1200.00"),
        (0, 2, "0", "0.00"),
        (1, 6, "0.000001", "0.000001"),
        (1, 7, "1E-7", "0.0000001"),
        (120, 7, "0.000012", "0.0000120"),
        (-12, 9, "-1.2E-8", "-0.000000012"),
        (1_000_000, 0, "1E+6", "1000000"),
        (5, -3, "5E+3", "5000"),
        (
            i128::MAX,
            10,
            "17014118346046923173168730371.5884105727",
            "17014118346046923173168730371.5884105727",
        ),
    ] {
        assert_eq!(written(|out| decimal_stripped(unscaled, scale, out)), stripped);
        assert_eq!(written(|out| decimal_plain(unscaled, scale, out)), plain);
    }
}

#[test]
fn times_lose_the_zeros_at_their_end_but_keep_seconds() {
    let (unit, last) = (TimeUnit::Millisecond, LastDate::default());
    for (value, expected) in [
        (0, "1970-01-01T00:00:00"),
        (86_399_999, "1970-01-01T23:59:59.999"),
        (1_767_228_443_730, "2026-01-01T00:47:23.73"),
        (-1, "1969-12-31T23:59:59.999"),
        (951_782_400_000, "2000-02-29T00:00:00"),
        (-62_135_596_800_000, "0001-01-01T00:00:00"),
        (253_402_300_800_000, "+10000-01-01T00:00:00"),
        (-62_198_755_200_000, "-0001-01-01T00:00:00"),
    ] {
        assert_eq!(written(|out| timestamp(value, unit, (b'T', &last), out)), expected);
    }
    assert_eq!(
        written(|out| timestamp(1_000_500, TimeUnit::Microsecond, (b' ', &last), out)),
        "1970-01-01 00:00:01.0005"
    );
    assert_eq!(
        written(|out| timestamp(1, TimeUnit::Nanosecond, (b' ', &last), out)),
        "1970-01-01 00:00:00.000000001"
    );
    assert_eq!(written(|out| time(36_672_050, out)), "10:11:12.05");
    assert_eq!(written(|out| time(0, out)), "00:00:00");
    assert_eq!(written(|out| date(-719_468, out)), "0000-03-01");
}

#[test]
fn integers_have_all_their_digits() {
    for value in [0, 7, -10, i64::MAX, i64::MIN] {
        assert_eq!(written(|out| integer(value, out)), value.to_string());
    }
}
