"""The page of a training: one HTML file that opens offline, made of its portrait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fallline.analysis import classification, fitting
from fallline.report import formats, interactive, templates, training_images, training_interactive
from fallline.report import training_classes as classes
from fallline.report import training_figures as figures
from fallline.report import training_network as network
from fallline.report.training_portrait import Portrait


def render(portrait: Portrait) -> str:
    """The whole page. Nothing in it is loaded from elsewhere; every name is escaped."""
    portrait = replace(portrait, created=portrait.created[:16].replace("T", " "))
    form = figures.form_of(portrait)
    return templates.page(
        "training.html.jinja",
        portrait=portrait,
        diagnosis=portrait.diagnosis,
        rule=fitting.RULE,
        metric=form.title,
        tiles=figures.tiles(portrait),
        gap=bool(figures.gap_series(portrait)),
        columns=figures.columns(portrait),
        examples=[_tile(tile) for tile in figures.example_tiles(portrait)],
        predictions=[_tile(tile) for tile in figures.prediction_tiles(portrait)],
        mistakes=[_tile(tile) for tile in figures.surest_mistakes(portrait)],
        confusion=_confusion(portrait),
        report=_report(portrait),
        residuals=_residuals(portrait),
        network=[_block(block) for block in network.blocks(portrait)],
        parameters=formats.count(sum(block.parameters for block in portrait.blocks)),
        weights=_weights(portrait),
        gradient=training_images.signed_gradient(),
        plotly=interactive.plotly_script(),
        content=templates.for_script({"charts": training_interactive.charts(portrait)}),
    )


def _tile(tile: figures.Tile) -> dict[str, Any]:
    picture = tile.picture
    return {
        "picture": None if picture is None else training_images.data_uri(picture),
        "values": tile.values,
        "actual": tile.actual,
        "predicted": tile.predicted,
        "detail": tile.detail,
        "wrong": tile.right is False,
    }


def _confusion(portrait: Portrait) -> dict[str, Any] | None:
    """The matrix as a table with shaded cells, or as a picture where it is large."""
    matrix = classes.confusion(portrait)
    if matrix is None:
        return None
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    frequent = [
        (portrait.class_name(each.actual), portrait.class_name(each.predicted), each.count)
        for each in classification.frequent_confusions(matrix)
    ]
    large = len(matrix) > classes.MOST_NUMBERED
    return {
        "names": portrait.classes,
        "rows": []
        if large
        else [
            {
                "name": portrait.class_name(at),
                "cells": [
                    {
                        "count": f"{count:,}" if count else "·",
                        "kind": ("right" if at == to else "wrong") if count else "none",
                        "share": round(float(classes.shade(shares[at, to], at == to)), 3),
                    }
                    for to, count in enumerate(row.tolist())
                ],
            }
            for at, row in enumerate(matrix)
        ],
        "picture": training_images.data_uri(classes.pixels(matrix)) if large else "",
        "frequent": frequent,
        "wrong": formats.count(float(matrix.sum() - np.trace(matrix))),
        "all": formats.count(float(matrix.sum())),
    }


def _report(portrait: Portrait) -> list[dict[str, Any]]:
    """The rows of the classification report: every class, then the averages."""
    matrix = classes.confusion(portrait)
    return [] if matrix is None else classes.report_rows(matrix, portrait.classes)


def _residuals(portrait: Portrait) -> dict[str, str] | None:
    found = figures.residuals(portrait)
    if found is None:
        return None
    return {
        "mean": f"{found.mean:+.3g}",
        "deviation": formats.significant(found.deviation, 3),
        "rmse": formats.significant(found.rmse, 3),
        "left_out": formats.count(found.left_out) if found.left_out else "",
        "drawn": formats.count(len(found.actual)),
    }


def _block(block: network.NetworkBlock) -> dict[str, Any]:
    return {
        "name": block.name,
        "kind": block.kind,
        "shape": block.shape,
        "detail": block.detail,
        "trainable": block.trainable,
        "flat": not block.sheets,
        "rects": network.drawing(block),
    }


def _weights(portrait: Portrait) -> dict[str, Any] | None:
    found = figures.weights_figure(portrait)
    if found is None:
        return None
    return {
        "layer": found.layer,
        "detail": found.detail,
        "rows": found.rows,
        "limit": formats.significant(found.limit, 2),
        "tiles": [(training_images.data_uri(each.picture), each.name) for each in found.tiles],
        "wide": bool(found.tiles) and max(found.tiles[0].picture.shape[:2]) > 12,
    }
