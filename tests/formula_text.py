"""Evaluates the text of a component's formula, independently of the library."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component


def evaluate(part: Component) -> int:
    """Return the value of a formula over its inputs: whole numbers, names, + - * //, max, min, ceil_div."""
    names = dict(part.inputs)

    def value(node: ast.AST) -> int:
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.Name(id=name):
                return names[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _apply(op, value(left), value(right))
            case ast.Call(func=ast.Name(id=function), args=args):
                return _call(function, [value(arg) for arg in args])
        msg = f"{ast.dump(node)} has no place in a formula"
        raise ValueError(msg)

    return value(ast.parse(part.formula, mode="eval").body)


def _apply(op: ast.operator, left: int, right: int) -> int:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return left // right
    msg = f"{op} has no place in a formula"
    raise ValueError(msg)


def _call(function: str, args: list[int]) -> int:
    if function == "ceil_div":
        return -(-args[0] // args[1])
    return {"max": max, "min": min}[function](args)
