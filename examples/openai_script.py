"""An ordinary program that uses the OpenAI SDK and knows nothing of airside: `airside run -- python THIS_FILE`."""

import sys

from openai import OpenAI

client = OpenAI()
question = " ".join(sys.argv[1:]) or "Say hello to the world in one short sentence."
answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
print(answer.choices[0].message.content)
