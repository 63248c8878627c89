"""The models of an edge while it serves: a champion for each name, a shadow beside it, those before; and every step told.

A new file comes by command: it is fetched, its hash and signature are checked, it is tried in a process of its own, and then
scores in shadow. It is promoted, or the one before is put back, between two instants. What fails in service, gives nonsense or
takes too long is withdrawn, and the last good one goes on.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge.contracts.audit import ModelAudit, ModelStep
from edge.contracts.command import ModelCommand, ModelVerb
from edge.contracts.errors import KullagerError, ModelError
from edge.contracts.plant import Asset, Plant
from edge.contracts.status import ModelStatus, ShadowStatus
from edge.model_fetch import fetch_aside
from edge.model_registry import ModelRegistry, Roles
from edge.model_trial.examination import examine_content
from edge.model_trial.signature import key_folder, trusted_keys, verify
from edge.pipeline import OnnxModel, Pipeline, fits

logger = logging.getLogger(__name__)

Tell = Callable[[ModelAudit], None]
EDGE_ITSELF = "edge"


class CommandRefused(KullagerError):
    """What is asked for cannot be done with the models; its text is the answer."""


class ModelsInService:
    """`champions` by name are what a pipeline is made with; `serve` it then. `tell` gets every step."""

    def __init__(self, plant: Plant, home: Path, tell: Tell) -> None:
        self._plant, self._home, self._tell = plant, home, tell
        self.registry = ModelRegistry(home)
        self.champions: dict[str, OnnxModel] = {}
        self._shadows: dict[str, OnnxModel] = {}
        self.problems: dict[str, str] = {}
        self._trial: asyncio.Task[None] | None = None
        self._tried: tuple[str, ModelCommand] | None = None
        self._pipeline: Pipeline | None = None
        for name in self._names():
            if self.registry.damage is not None:
                self._step(ModelStep.WITHDRAWN, name, by=EDGE_ITSELF, reason=f"what served is lost: {self.registry.damage}")
            self._load(name)

    def serve(self, pipeline: Pipeline) -> None:
        """The pipeline that they score in from now on; it was made with the champions."""
        self._pipeline = pipeline
        for name in self._shadows:
            self._put(name)

    def catch_up(self) -> None:
        """Take over what has changed since this was made: where a plant file has changed, two are there for a moment."""
        before = self.registry.roles
        self.registry.read()
        if self.registry.damage is not None:
            self.registry.roles = before
            return
        for name in self._names():
            if self.registry.of(name) != before.get(name, Roles()):
                for models in (self.champions, self._shadows):
                    models.pop(name, None)
                self.problems.pop(name, None)
                self._load(name)
                self._put(name)

    def command(self, verb: ModelVerb, command: ModelCommand) -> None:
        """Carry out a command; raises `CommandRefused`. A trial takes a while: its outcome is told as a step.

        The same command once more changes nothing.
        """
        name = command.name
        if name not in self._names():
            raise CommandRefused(f"no asset has the model '{name}'; possible: {', '.join(sorted(self._names()))}")
        command = replace(command, sha256=command.sha256.lower())
        mark = _mark(verb, command)
        if mark in self.registry.of(name).commands:
            return
        match verb:
            case ModelVerb.MODEL:
                self._bring(mark, command)
                return
            case ModelVerb.PROMOTE:
                self._promote(command)
            case ModelVerb.ROLLBACK:
                self._roll_back(command)
            case ModelVerb.DISMISS:
                if name in self._shadows:
                    self._withdraw_shadow(name, command.by, "dismissed")
        self._remember(name, mark)

    async def settled(self) -> None:
        """Wait for a trial that is under way."""
        if self._trial is not None:
            await asyncio.wait([self._trial])

    def cancel(self) -> None:
        """Give up a trial that is under way."""
        if self._trial is None or self._trial.done() or self._tried is None:
            return
        self._trial.cancel()
        (_, command), self._tried = self._tried, None
        reason = "the edge was stopped before the trial was over; send it again"
        self._step(ModelStep.REFUSED, command.name, by=command.by, sha256=command.sha256 or None, reason=reason)

    def look(self) -> None:
        """Take out of service what has failed there."""
        if self.registry.problem is not None:
            self.registry.save()
        if self._pipeline is None:
            return
        for (name, is_shadow), why in self._pipeline.verdicts().items():
            if is_shadow:
                self._withdraw_shadow(name, EDGE_ITSELF, why)
            else:
                self._withdraw(name, why)

    def status(self) -> dict[str, ModelStatus]:
        failing = self._pipeline.problems if self._pipeline is not None else {}
        users: dict[str, list[str]] = {}
        for asset_id, asset in self._plant.assets.items():
            if asset.model:
                users.setdefault(asset.model, []).append(asset_id)
        return {
            name: self._model_status(name, tuple(assets), self.problems.get(name) or failing.get(name))
            for name, assets in users.items()
        }

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(asset.model for asset in self._plant.assets.values() if asset.model))

    def _assets(self, name: str) -> dict[str, Asset]:
        return {asset_id: asset for asset_id, asset in self._plant.assets.items() if asset.model == name}

    def _load(self, name: str) -> None:
        """Champion and shadow of a name, as the registry has them; the last good one where a champion is damaged."""
        roles = self.registry.of(name)
        candidates = tuple(dict.fromkeys((roles.champion, *roles.previous, "")))
        for number, sha256 in enumerate(candidates):
            try:
                model = self._read(name, sha256)
            except ModelError as error:
                self.problems.setdefault(name, str(error))
                logger.error("model refused: %s", error)
                continue
            if number:
                reason = f"its file cannot be used, and the one before serves: {self.problems.pop(name)}"
                self.registry.put(name, replace(roles, champion=sha256, previous=candidates[number + 1 :]))
                self._step(ModelStep.WITHDRAWN, name, by=EDGE_ITSELF, sha256=roles.champion or None, reason=reason)
            try:
                fits(model, self._plant, name)
            except ModelError as error:
                # the plant file may be a mistake that is mended tomorrow: the model stays what it is
                self.problems[name] = str(error)
                logger.error("model refused: %s", error)
            else:
                self.champions[name] = model
            break
        if roles.shadow is not None:
            try:
                self._shadows[name] = self._opened(name, roles.shadow)
            except ModelError as error:
                self.registry.put(name, replace(self.registry.of(name), shadow=None))
                self._step(ModelStep.WITHDRAWN, name, by=EDGE_ITSELF, sha256=roles.shadow, reason=f"in shadow: {error}")

    def _read(self, name: str, sha256: str) -> OnnxModel:
        path = self.registry.path(name, sha256)
        model = OnnxModel.load(path)
        if sha256 and model.sha256 != sha256:
            raise ModelError(f"{path}: is not what was tried: its sha256 is {model.sha256}")
        return model

    def _opened(self, name: str, sha256: str) -> OnnxModel:
        model = self._read(name, sha256)
        fits(model, self._plant, name)
        return model

    def _bring(self, mark: str, command: ModelCommand) -> None:
        name, sha256 = command.name, command.sha256
        if self._trial is not None and not self._trial.done():
            if self._tried is not None and (self._tried[1].name, self._tried[1].sha256) == (name, sha256):
                return
            raise CommandRefused("another model is being tried; try again in a minute")
        if name in self._shadows and self._shadows[name].sha256 == sha256:
            return
        if name in self.champions and self.champions[name].sha256 == sha256:
            raise CommandRefused(f"this model is in service for '{name}' already")
        self._tried = mark, command
        self._trial = asyncio.create_task(self._try(mark, command), name=f"trial of a model for {name}")

    async def _try(self, mark: str, command: ModelCommand) -> None:
        name, sha256, key = command.name, command.sha256, None
        try:
            content = await fetch_aside(command.url, self._home / "edge" / "incoming")
            found = hashlib.sha256(content).hexdigest()
            if found != sha256:
                raise ModelError(f"{command.url}: its sha256 is {found}, not '{sha256}' as the command says")
            key = verify(content, command.signature, trusted_keys(key_folder(self._home)))
            examined = await examine_content(content, command.url, self._assets(name))
            if examined.problem is not None:
                raise ModelError(examined.problem)
            model = await asyncio.to_thread(OnnxModel.of, content, self.registry.path(name, sha256))
            fits(model, self._plant, name)
            await asyncio.to_thread(self.registry.keep, content)
        except Exception as error:
            # whatever a foreign server or model brings about: each command has an outcome
            if not isinstance(error, ModelError | OSError):
                logger.exception("the trial of a model for '%s' failed", name)
            logger.error("a model for '%s' is refused: %s", name, error)
            self._step(ModelStep.REFUSED, name, by=command.by, sha256=sha256 or None, key=key, reason=str(error) or repr(error))
        else:
            self._bring_in(command, model, key)
            self._remember(name, mark)

    def _bring_in(self, command: ModelCommand, model: OnnxModel, key: str | None) -> None:
        name = command.name
        if name in self._shadows:
            self._withdraw_shadow(name, command.by, "another takes its place")
        self._shadows[name] = model
        self.registry.put(name, replace(self.registry.of(name), shadow=model.sha256, shadow_since=time.time_ns()))
        self._put(name)
        self._step(ModelStep.SHADOW, name, by=command.by, sha256=model.sha256, key=key, version=model.spec.version)

    def _remember(self, name: str, mark: str) -> None:
        roles = self.registry.of(name)
        self.registry.put(name, replace(roles, commands=(mark, *roles.commands)))

    def _promote(self, command: ModelCommand) -> None:
        name, roles = command.name, self.registry.of(command.name)
        if command.sha256 and name in self.champions and self.champions[name].sha256 == command.sha256:
            return
        if roles.shadow is None or name not in self._shadows:
            raise CommandRefused(f"there is no model in shadow for '{name}'; send one first")
        if command.sha256 and command.sha256 != roles.shadow:
            raise CommandRefused(f"in shadow for '{name}' is {roles.shadow}, not {command.sha256}")
        had = (roles.champion,) if name in self.champions else ()
        self.champions[name] = self._shadows.pop(name)
        self.problems.pop(name, None)
        self.registry.put(name, replace(roles, champion=roles.shadow, shadow=None, previous=(*had, *roles.previous)))
        self._put(name)
        self._step(ModelStep.PROMOTED, name, by=command.by, sha256=roles.shadow, version=self.champions[name].spec.version)

    def _roll_back(self, command: ModelCommand) -> None:
        name = command.name
        serves = self.champions[name].sha256 if name in self.champions else "none"
        if command.sha256 and command.sha256 != serves:
            raise CommandRefused(f"in service for '{name}' is {serves}, not {command.sha256}")
        if not self._previous(name, command.by, ModelStep.ROLLED_BACK, None):
            raise CommandRefused(f"there is no model before the one in service for '{name}'")

    def _withdraw(self, name: str, why: str) -> None:
        logger.error("model '%s' is taken out of service: it %s", name, why)
        if self._previous(name, EDGE_ITSELF, ModelStep.WITHDRAWN, why):
            return
        bad = self.champions.pop(name, None)
        self.problems[name] = f"it was taken out of service, as it {why}; there is none before it"
        self._put(name)
        version = bad.spec.version if bad else None
        self._step(ModelStep.WITHDRAWN, name, by=EDGE_ITSELF, sha256=bad.sha256 if bad else None, version=version, reason=why)

    def _previous(self, name: str, by: str, step: ModelStep, why: str | None) -> bool:
        """Put the last one before in service that can be; whether there is one."""
        roles, bad = self.registry.of(name), self.champions.get(name)
        for number, sha256 in enumerate(roles.previous):
            try:
                self.champions[name] = self._opened(name, sha256)
            except ModelError as error:
                logger.error("model refused: %s", error)
                continue
            self.problems.pop(name, None)
            # what a shadow is compared with is another one now
            since = time.time_ns() if roles.shadow else 0
            rest = roles.previous[number + 1 :]
            self.registry.put(name, replace(roles, champion=sha256, previous=rest, shadow_since=since))
            self._put(name)
            of_it = bad if step is ModelStep.WITHDRAWN else self.champions[name]
            version, its = (of_it.spec.version, of_it.sha256) if of_it is not None else (None, None)
            self._step(step, name, by=by, sha256=its, version=version, reason=why)
            return True
        return False

    def _withdraw_shadow(self, name: str, by: str, why: str) -> None:
        model = self._shadows.pop(name)
        self.registry.put(name, replace(self.registry.of(name), shadow=None))
        self._put(name)
        self._step(
            ModelStep.WITHDRAWN, name, by=by, sha256=model.sha256, version=model.spec.version, reason=f"in shadow: {why}"
        )

    def _put(self, name: str) -> None:
        if self._pipeline is not None:
            self._pipeline.serve(name, self.champions.get(name), self._shadows.get(name))

    def _step(
        self,
        step: ModelStep,
        name: str,
        *,
        by: str,
        sha256: str | None = None,
        version: str | None = None,
        key: str | None = None,
        reason: str | None = None,
    ) -> None:
        logger.info("model '%s' %s: %s by %s%s", name, version or "", step, by, f": {reason}" if reason else "")
        self._tell(
            ModelAudit(
                edge=self._plant.edge.id,
                time=time.time_ns(),
                step=step,
                name=name,
                version=version,
                sha256=sha256,
                by=by,
                key=key,
                reason=reason,
            )
        )

    def _model_status(self, name: str, assets: tuple[str, ...], problem: str | None) -> ModelStatus:
        model, roles = self.champions.get(name), self.registry.of(name)
        shadow = self._shadow_status(name)
        if model is None:
            return ModelStatus(assets=assets, problem=problem, previous=len(roles.previous), shadow=shadow)
        spec = model.spec
        return ModelStatus(
            version=spec.version,
            assets=assets,
            tolerance={each: known.tolerance for each, known in spec.reference.items() if known.tolerance is not None},
            false_alarms_per_week=spec.false_alarms_per_week,
            figures={each: figure for each, figure in spec.figures.items() if isinstance(figure, int | float)},
            problem=problem,
            sha256=model.sha256,
            previous=len(roles.previous),
            shadow=shadow,
        )

    def _shadow_status(self, name: str) -> ShadowStatus | None:
        model = self._shadows.get(name)
        if model is None or self._pipeline is None:
            return None
        found = self._pipeline.compared(name)
        return ShadowStatus(
            version=model.spec.version,
            sha256=model.sha256,
            since=self.registry.of(name).shadow_since,
            instants=found.instants,
            scored=found.scored,
            agreed=found.agreed,
            anomalous=found.anomalous,
            champion_anomalous=found.champion_anomalous,
            difference=found.difference / found.scored if found.scored else None,
        )


def _mark(verb: ModelVerb, command: ModelCommand) -> str:
    """What a command is known by when it comes again, as MQTT and whoever has got no answer may send it."""
    return hashlib.sha256(repr((verb.value, command)).encode()).hexdigest()[:16]
