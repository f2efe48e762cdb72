"""The smallest agent: it asks the model once, with a tool's answer in hand."""


async def hello(task, model, tools):
    """Greet whoever the task names, with the current weather in their town."""
    weather = await tools.call("weather", town=task["town"])
    return await model.text(f"Greet {task['name']}; the weather is {weather}.")
