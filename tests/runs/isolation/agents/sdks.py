"""Agents that use other HTTP clients than ours, two of them made while the module is imported."""

import json
import os
import time
import urllib.request

import aiohttp
from openai import AsyncOpenAI, OpenAI

blocking = OpenAI()
waiting = AsyncOpenAI()
QUESTION = [{"role": "user", "content": "who are you?"}]


def openai_blocking(task, model, tools):
    """Ask through the SDK's blocking client."""
    answer = blocking.chat.completions.create(model="m", messages=QUESTION)
    return {"text": answer.choices[0].message.content, "time": time.time()}


async def openai_waiting(task, model, tools):
    """Ask through the SDK's asynchronous client."""
    answer = await waiting.chat.completions.create(model="m", messages=QUESTION)
    return {"text": answer.choices[0].message.content, "time": time.time()}


def standard_library(task, model, tools):
    """Ask through urllib."""
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    key = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
    body = json.dumps({"model": "m", "messages": QUESTION}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, key)) as response:
        return {"text": json.load(response)["choices"][0]["message"]["content"], "time": time.time()}


async def with_aiohttp(task, model, tools):
    """Ask through aiohttp, with the key as it was at import."""
    key = {"Authorization": "Bearer " + waiting.api_key}
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    body = {"model": "m", "messages": QUESTION}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=key) as response:
        answer = await response.json()
        return {"text": answer["choices"][0]["message"]["content"], "time": time.time()}
