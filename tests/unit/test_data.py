import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from stochastor.model.data import Dataset, load_dataset
from stochastor.model.errors import DataError

FEATURES = np.arange(60, dtype=np.uint8).reshape(10, 6)
LABELS = np.arange(10, dtype=np.int64) % 3
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_bytes(array, element_type=8):
    header = bytes((0, 0, element_type, array.ndim)) + b"".join(size.to_bytes(4) for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(directory, **replaced):
    """Write a small set; `replaced` maps 'train_images' and so on to other bytes."""
    contents = [idx_bytes(FEATURES.reshape(10, 2, 3)), idx_bytes(LABELS)]
    contents += [idx_bytes(FEATURES[:4].reshape(4, 2, 3)), idx_bytes(LABELS[:4])]
    for name, content in zip(IDX_NAMES, contents, strict=True):
        key = "_".join(name.split("-")[:2])
        (directory / name).write_bytes(replaced.get(key, content))
    return f"idx:{directory}"


def write_npz(directory, **replaced):
    arrays = {
        "train_features": FEATURES,
        "train_labels": LABELS,
        "test_features": FEATURES[:4],
        "test_labels": LABELS[:4],
    } | replaced
    np.savez(directory / "set.npz", **{key: array for key, array in arrays.items() if array is not None})
    return f"npz:{directory / 'set.npz'}"


def write_csv(directory, text):
    (directory / "set.csv").write_text(text, encoding="utf-8")
    return f"csv:{directory / 'set.csv'}"


def fault(source, **sizes):
    with pytest.raises(DataError) as caught:
        load_dataset(source, **sizes)
    message = str(caught.value)
    assert "\n" not in message
    return message


def assert_holds_the_small_set(dataset):
    np.testing.assert_array_equal(dataset.train_features, FEATURES)
    np.testing.assert_array_equal(dataset.train_labels, LABELS)
    np.testing.assert_array_equal(dataset.test_features, FEATURES[:4])
    np.testing.assert_array_equal(dataset.test_labels, LABELS[:4])


def digest(*arrays):
    return hashlib.sha256(
        b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)
    ).hexdigest()


def five_lines(third):
    return "\n".join(["0,1,2", "1,3,4", third, "0,5,6", "1,7,8"]) + "\n"


class TestDigits:
    def test_the_split_is_the_published_one(self):
        dataset = load_dataset("digits")
        assert (
            digest(dataset.train_features, dataset.train_labels)
            == "993fbe81a8b22d7232b6d96475d9e88d0d7efd9048f960631d209301171b0400"
        )
        assert (
            digest(dataset.test_features, dataset.test_labels)
            == "6baa4b1148fe37e7aec74d573faf6c5e5d65667bcbebdf38e0ce8e1ecd6bca38"
        )

    def test_every_sample_is_in_one_of_the_sets(self):
        from sklearn.datasets import load_digits

        dataset = load_dataset("digits")
        ours = np.concatenate([dataset.train_features, dataset.test_features])
        theirs = np.round(load_digits().data * 255 / 16).astype(np.uint8)
        assert len(dataset.train_labels) == 1437
        assert sorted(map(bytes, ours)) == sorted(map(bytes, theirs))

    def test_it_fits_the_preset(self):
        dataset = load_dataset("digits", inputs=64, outputs=10)
        assert (dataset.inputs, dataset.classes) == (64, 10)


class TestRandom:
    def test_it_takes_the_size_of_the_machine(self):
        dataset = load_dataset("random", inputs=7, outputs=3)
        assert dataset.train_features.shape == (1000, 7)
        assert set(dataset.train_labels.tolist()) == {0, 1, 2}

    def test_its_bits_are_fixed(self):
        dataset = load_dataset("random", inputs=7, outputs=3)
        assert (
            digest(dataset.train_features, dataset.train_labels, dataset.test_features, dataset.test_labels)
            == "01a06492f640e1e15329b4364d9f3bd298f231f5540fb84ce2b4ba96311a713b"
        )

    def test_features_are_uniform(self):
        counts = np.bincount(load_dataset("random").train_features.ravel(), minlength=256)
        assert 200 < ((counts - 250) ** 2 / 250).sum() < 320

    def test_train_and_test_samples_differ(self):
        dataset = load_dataset("random")
        assert not (dataset.train_features[:200] == dataset.test_features).all(axis=1).any()

    def test_no_machine_has_no_inputs(self):
        assert "inputs must be 1 or more, not 0" in fault("random", inputs=0)


class TestIdx:
    def test_a_set_reads_as_written(self, tmp_path):
        assert_holds_the_small_set(load_dataset(write_idx(tmp_path)))

    def test_compressed_files_read_the_same(self, tmp_path):
        source = write_idx(tmp_path)
        for name in IDX_NAMES:
            path = tmp_path / name
            path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        assert_holds_the_small_set(load_dataset(source))

    def test_dotted_names_read_the_same(self, tmp_path):
        source = write_idx(tmp_path)
        for name in IDX_NAMES:
            (tmp_path / name).rename(tmp_path / name.replace("-idx", ".idx"))
        assert_holds_the_small_set(load_dataset(source))

    def test_a_missing_directory_is_named(self, tmp_path):
        assert f"{tmp_path / 'gone'}: is not a directory" in fault(f"idx:{tmp_path / 'gone'}")

    def test_a_missing_file_lists_the_names_looked_for(self, tmp_path):
        source = write_idx(tmp_path)
        (tmp_path / IDX_NAMES[3]).unlink()
        message = fault(source)
        assert "t10k-labels-idx1-ubyte, t10k-labels-idx1-ubyte.gz, t10k-labels.idx1-ubyte, t10k-labels.idx1" in message

    def test_a_bad_magic_number_is_shown_with_the_right_one(self, tmp_path):
        message = fault(write_idx(tmp_path, train_images=b"\x89PNG" + bytes(100)))
        assert "train-images-idx3-ubyte: its magic number is 0x89504e47" in message
        assert "0x00000803" in message

    def test_images_in_the_place_of_labels_are_found(self, tmp_path):
        message = fault(write_idx(tmp_path, train_labels=idx_bytes(FEATURES.reshape(10, 2, 3))))
        assert "train-labels-idx1-ubyte: its magic number is 0x00000803" in message

    def test_another_element_type_is_named(self, tmp_path):
        message = fault(write_idx(tmp_path, train_labels=idx_bytes(LABELS, element_type=0x0D)))
        assert "train-labels-idx1-ubyte: its elements are of type float, they must be unsigned bytes" in message

    @pytest.mark.parametrize("length", [0, 3, 10, 16, 75])
    def test_a_truncated_idx_file_is_named(self, tmp_path, length):
        whole = idx_bytes(FEATURES.reshape(10, 2, 3))
        message = fault(write_idx(tmp_path, train_images=whole[:length]))
        assert f"train-images-idx3-ubyte: is truncated: {length} bytes" in message

    def test_trailing_bytes_are_counted(self, tmp_path):
        message = fault(write_idx(tmp_path, t10k_labels=idx_bytes(LABELS[:4]) + b"??"))
        assert "t10k-labels-idx1-ubyte: has 2 trailing bytes: 14 bytes, its header 4 needs 12" in message

    @pytest.mark.parametrize(
        "damage", [lambda data: data[:-9], lambda data: data[:-8] + bytes(8), lambda data: data[:10] + bytes([255]) * 9]
    )
    def test_damaged_gzip_data_is_named(self, tmp_path, damage):
        packed = damage(gzip.compress(idx_bytes(LABELS)))
        assert "train-labels-idx1-ubyte: is damaged gzip data" in fault(write_idx(tmp_path, train_labels=packed))

    def test_a_count_mismatch_gives_both_counts(self, tmp_path):
        message = fault(write_idx(tmp_path, train_labels=idx_bytes(LABELS[:9])))
        assert "train-labels-idx1-ubyte: has 9 labels for 10 images" in message

    def test_an_empty_set_is_refused(self, tmp_path):
        empty = idx_bytes(np.zeros((0, 2, 3)))
        assert "train-images-idx3-ubyte: is empty" in fault(write_idx(tmp_path, train_images=empty))

    def test_test_images_of_another_size_are_refused(self, tmp_path):
        message = fault(write_idx(tmp_path, t10k_images=idx_bytes(np.zeros((4, 2, 2)))))
        assert "test samples have 4 inputs, train samples have 6" in message


class TestChecksums:
    def write_sums(self, directory, wrong=()):
        lines = []
        for name in IDX_NAMES:
            content = b"other" if name in wrong else (directory / name).read_bytes()
            lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        (directory / "SHA256SUMS").write_text("".join(lines))

    def test_right_ones_pass(self, tmp_path):
        source = write_idx(tmp_path)
        self.write_sums(tmp_path)
        assert_holds_the_small_set(load_dataset(source))

    def test_the_damaged_file_is_named(self, tmp_path):
        source = write_idx(tmp_path)
        self.write_sums(tmp_path, wrong=[IDX_NAMES[2]])
        message = fault(source)
        assert "t10k-images-idx3-ubyte: is damaged" in message
        assert hashlib.sha256(b"other").hexdigest() in message

    def test_files_not_listed_are_not_checked(self, tmp_path):
        source = write_idx(tmp_path)
        (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64} *README\n")
        assert_holds_the_small_set(load_dataset(source))

    def test_a_damaged_list_is_named(self, tmp_path):
        source = write_idx(tmp_path)
        (tmp_path / "SHA256SUMS").write_text("deadbeef  train-images-idx3-ubyte\n")
        assert "SHA256SUMS: line 1 must be a SHA-256" in fault(source)


class TestNpz:
    def test_a_set_reads_as_written(self, tmp_path):
        assert_holds_the_small_set(load_dataset(write_npz(tmp_path)))

    def test_images_are_flattened(self, tmp_path):
        images = {"train_features": FEATURES.reshape(10, 2, 3), "test_features": FEATURES[:4].reshape(4, 2, 3)}
        assert_holds_the_small_set(load_dataset(write_npz(tmp_path, **images)))

    def test_whole_floats_and_wide_integers_are_taken(self, tmp_path):
        source = write_npz(tmp_path, train_features=FEATURES.astype(np.float16), train_labels=LABELS.astype(np.uint64))
        assert_holds_the_small_set(load_dataset(source))

    def test_a_missing_key_is_named_with_those_there_are(self, tmp_path):
        message = fault(write_npz(tmp_path, test_labels=None))
        assert "has no array test_labels; it holds train_features, train_labels, test_features," in message

    @pytest.mark.parametrize("value", [np.nan, np.inf, 0.5, -1.0, 256.0])
    def test_a_feature_that_is_no_byte_is_located(self, tmp_path, value):
        features = FEATURES.astype(np.float64)
        features[7, 2] = value
        message = fault(write_npz(tmp_path, train_features=features))
        assert f"set.npz: train_features[7, 2] must be a whole number from 0 to 255, not {value}" in message

    @pytest.mark.parametrize("value", [-1, 65_535, 1 << 62])
    def test_a_label_out_of_range_is_located(self, tmp_path, value):
        labels = LABELS.copy()
        labels[9] = value
        message = fault(write_npz(tmp_path, train_labels=labels))
        assert f"set.npz: train_labels[9] must be a whole number from 0 to 65534, not {value}" in message

    @pytest.mark.parametrize("dtype", [np.bool_, np.complex64, "U3"])
    def test_features_that_are_no_numbers_are_refused(self, tmp_path, dtype):
        message = fault(write_npz(tmp_path, train_features=FEATURES.astype(dtype)))
        assert f"train_features must be whole numbers from 0 to 255, not of type {np.dtype(dtype)}" in message

    def test_nothing_is_unpickled(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return Path.touch, (tmp_path / "sprung",)

        message = fault(write_npz(tmp_path, train_labels=np.array([Trap()] * 10, dtype=object)))
        assert "train_labels is damaged or holds Python objects" in message
        assert not (tmp_path / "sprung").exists()

    def test_a_truncated_archive_is_named(self, tmp_path):
        source = write_npz(tmp_path)
        (tmp_path / "set.npz").write_bytes((tmp_path / "set.npz").read_bytes()[:-40])
        assert "set.npz: is not an NPZ archive, or is truncated" in fault(source)

    def test_a_damaged_array_is_named(self, tmp_path):
        source = write_npz(tmp_path)
        content = (tmp_path / "set.npz").read_bytes().replace(FEATURES[5:].tobytes(), FEATURES[:5].tobytes(), 1)
        (tmp_path / "set.npz").write_bytes(content)
        assert "set.npz: train_features is damaged" in fault(source)

    def test_a_missing_file_is_named(self, tmp_path):
        assert "gone.npz: cannot be read: No such file or directory" in fault(f"npz:{tmp_path / 'gone.npz'}")

    def test_an_empty_set_is_refused(self, tmp_path):
        message = fault(write_npz(tmp_path, test_features=FEATURES[:0], test_labels=LABELS[:0]))
        assert "test_features must be of shape (samples, inputs) and not empty, not (0, 6)" in message

    def test_labels_of_another_shape_are_refused(self, tmp_path):
        message = fault(write_npz(tmp_path, train_labels=LABELS[:, np.newaxis]))
        assert "train_labels must be of shape (samples,), not (10, 1)" in message

    def test_a_count_mismatch_gives_both_counts(self, tmp_path):
        message = fault(write_npz(tmp_path, train_labels=LABELS[:9]))
        assert "train features of 10 samples, but 9 labels" in message


class TestCsv:
    def test_the_last_fifth_rounded_down_is_the_test_set(self, tmp_path):
        lines = [",".join(map(str, [label, *row])) for label, row in zip(LABELS[:9], FEATURES[:9], strict=True)]
        dataset = load_dataset(write_csv(tmp_path, "\n".join(lines)))
        np.testing.assert_array_equal(dataset.train_features, FEATURES[:8])
        np.testing.assert_array_equal(dataset.train_labels, LABELS[:8])
        np.testing.assert_array_equal(dataset.test_features, FEATURES[8:9])
        np.testing.assert_array_equal(dataset.test_labels, LABELS[8:9])

    def test_a_byte_order_mark_hides_no_sample(self, tmp_path):
        dataset = load_dataset(write_csv(tmp_path, "\ufeff" + five_lines("2,255,0")))
        assert dataset.train_labels.tolist() == [0, 1, 2, 0]

    @pytest.mark.parametrize("header", ["label,a,b\n", "label,0,1\n", '"label","a","b"\r\n\r\n'])
    def test_a_header_line_is_skipped(self, tmp_path, header):
        dataset = load_dataset(write_csv(tmp_path, header + five_lines("2,255,0")))
        assert dataset.train_labels.tolist() == [0, 1, 2, 0]

    def test_whole_floats_are_taken(self, tmp_path):
        dataset = load_dataset(write_csv(tmp_path, five_lines("2.0, 2.550e+02,-0.0")))
        assert dataset.train_features[2].tolist() == [255, 0]

    @pytest.mark.parametrize("cell", ["nan", "inf", "0.5", "-1", "256", "", "x", "1_2", "9" * 30])
    def test_a_feature_that_is_no_byte_is_located(self, tmp_path, cell):
        message = fault(write_csv(tmp_path, five_lines(f"2,3,{cell}")))
        assert f"set.csv: line 3, column 3: feature must be a whole number from 0 to 255, not {cell!r}" in message

    @pytest.mark.parametrize("cell", ["nan", "-1", "65535", "one"])
    def test_a_label_out_of_range_is_located(self, tmp_path, cell):
        message = fault(write_csv(tmp_path, five_lines(f"{cell},3,4")))
        assert f"set.csv: line 3, column 1: label must be a whole number from 0 to 65534, not {cell!r}" in message

    @pytest.mark.parametrize("row", ["2,3", "2,3,4,5"])
    def test_a_ragged_line_is_located(self, tmp_path, row):
        message = fault(write_csv(tmp_path, five_lines(row)))
        assert f"set.csv: line 3 has {len(row.split(','))} comma-separated cells, it must have 3" in message

    def test_another_separator_is_refused(self, tmp_path):
        assert "line 1 has 1 comma-separated cells" in fault(write_csv(tmp_path, "0;1;2\n" * 9))

    def test_an_open_quote_is_located(self, tmp_path):
        message = fault(write_csv(tmp_path, five_lines('2,"3,4')))
        assert "set.csv: line 5 is not comma-separated text: unexpected end of data" in message

    def test_bytes_that_are_no_text_are_located(self, tmp_path):
        source = write_csv(tmp_path, five_lines("2,3,x"))
        (tmp_path / "set.csv").write_bytes((tmp_path / "set.csv").read_bytes().replace(b"x", b"\xff"))
        assert r"line 3, column 3: feature must be a whole number from 0 to 255, not '\udcff'" in fault(source)

    @pytest.mark.parametrize(("text", "samples"), [("", 0), ("label,a\n", 0), ("0,1\n" * 4, 4)])
    def test_too_small_a_set_is_refused(self, tmp_path, text, samples):
        assert f"set.csv: has {samples} samples, 5 or more are needed" in fault(write_csv(tmp_path, text))

    def test_a_missing_file_is_named(self, tmp_path):
        assert "gone.csv: cannot be read: No such file or directory" in fault(f"csv:{tmp_path / 'gone.csv'}")


class TestFit:
    def test_other_inputs_than_the_machine_takes_are_refused(self, tmp_path):
        message = fault(write_idx(tmp_path), inputs=784)
        assert "samples have 6 inputs, the machine takes 784" in message

    @pytest.mark.parametrize("outputs", [1, 2])
    def test_the_first_label_too_large_is_located(self, tmp_path, outputs):
        message = fault(write_idx(tmp_path), outputs=outputs)
        assert f"train label {outputs} of sample {outputs} must be from 0 to {outputs - 1}" in message

    def test_test_labels_are_checked_too(self, tmp_path):
        message = fault(write_npz(tmp_path, test_labels=LABELS[:4] + 5), outputs=5)
        assert "test label 5 of sample 0 must be from 0 to 4" in message

    def test_fewer_classes_than_outputs_are_fine(self, tmp_path):
        assert load_dataset(write_idx(tmp_path), inputs=6, outputs=100).classes == 3


class TestSource:
    @pytest.mark.parametrize("source", ["MNIST", "", "idx", "idx:", "digits:8x8", "mnist:gz", "zip:set.zip"])
    def test_an_unknown_one_lists_the_legal_ones(self, source):
        message = fault(source)
        assert f"there is no data source {source!r}" in message
        assert "digits, random, mnist, fashion-mnist, idx:DIR, npz:FILE and csv:FILE" in message

    def test_the_home_directory_is_expanded(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        write_npz(tmp_path)
        assert_holds_the_small_set(load_dataset("npz:~/set.npz"))


class TestDataset:
    def build(self, **replaced):
        arrays = {"train_features": FEATURES, "train_labels": LABELS, "test_features": FEATURES, "test_labels": LABELS}
        return Dataset(name="ours", **(arrays | replaced))

    def test_arrays_are_of_the_stated_kind_whatever_the_source(self, tmp_path):
        features = np.asfortranarray(FEATURES.astype(np.float32))
        dataset = load_dataset(write_npz(tmp_path, train_features=features, train_labels=LABELS.astype(np.int8)))
        assert dataset.train_features.dtype == np.uint8
        assert dataset.train_features.flags.c_contiguous
        assert dataset.train_labels.dtype == np.int64

    @pytest.mark.parametrize("features", [FEATURES.astype(np.int64), FEATURES.ravel(), np.asfortranarray(FEATURES)])
    def test_other_features_are_refused(self, features):
        with pytest.raises(DataError, match="ours: train features must be C-contiguous uint8"):
            self.build(train_features=features)

    def test_other_labels_are_refused(self):
        with pytest.raises(DataError, match="ours: test labels must be C-contiguous int64"):
            self.build(test_labels=LABELS.astype(np.uint8))

    def test_negative_labels_are_refused(self):
        with pytest.raises(DataError, match="ours: test label -1 of sample 0 must be from 0"):
            self.build(test_labels=LABELS - 1)

    def test_samples_held_out_are_the_last_of_the_train_set(self):
        held_out = self.build(test_features=FEATURES + 100).hold_out(4)
        np.testing.assert_array_equal(held_out.train_features, FEATURES[:6])
        np.testing.assert_array_equal(held_out.train_labels, LABELS[:6])
        np.testing.assert_array_equal(held_out.test_features, FEATURES[6:])
        np.testing.assert_array_equal(held_out.test_labels, LABELS[6:])

    @pytest.mark.parametrize("samples", [-1, 0, 10])
    def test_neither_set_may_be_left_empty(self, samples):
        with pytest.raises(DataError, match=f"must be from 1 to 9, not {samples}"):
            self.build().hold_out(samples)
