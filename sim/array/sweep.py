"""Sweeps over analog arrays: what a plan may say of one, and the machine on it."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ...model.config import Config
from ...model.errors import ConfigError
from .config import ArrayConfig, array_preset, named_array
from .crossbar import check_sums
from .device import Device
from .trainer import AnalogTrainer, FastAnalogTrainer, make_analog_trainer

ARRAY, LIKE, DEVICE = "array", "array.like", "array.device."


class SweptArrays:
    """Arrays as a plan describes them: a preset or a file, and fields by dotted names."""

    fields: tuple[str, ...] = (
        ARRAY,
        LIKE,
        *(f"{ARRAY}.{field.name}" for field in fields(ArrayConfig) if field.name not in ("device", "seed")),
        *(DEVICE + field.name for field in fields(Device)),
    )

    def make(self, values: Mapping[str, Any], config: Config) -> dict[str, Any]:
        """The whole description of an array, checked to hold the weights of the machine.

        Raises
        ------
        ConfigError
            If it is impossible, naming the key.
        """
        base = named_array(values[ARRAY]) if ARRAY in values else ArrayConfig()
        if LIKE in values:
            base = array_preset(values[LIKE])
        device = {name.removeprefix(DEVICE): value for name, value in values.items() if name.startswith(DEVICE)}
        rest = {
            name.removeprefix(f"{ARRAY}."): value
            for name, value in values.items()
            if name not in (ARRAY, LIKE) and not name.startswith(DEVICE)
        }
        try:
            array: ArrayConfig = replace(base, device=replace(base.device, **device), **rest)
        except ConfigError as error:
            raise ConfigError(f"{ARRAY}: {error}") from None
        for layer in range(1, config.layers + 1):
            check_sums(config, layer, array)
        return array.to_dict()


def machine_on(config: Config, array: Mapping[str, Any]) -> FastAnalogTrainer | AnalogTrainer:
    """The machine of a run on the array that `SweptArrays.make` described."""
    return make_analog_trainer(config, ArrayConfig.from_dict(dict(array)))
