"""Words of the wire formats themselves: names of fields and fixed values, which say nothing of anybody."""

from typing import Final

_FIELDS: Final = """
    args arguments allowed_callers anyOf allOf oneOf not audio cache_control call_id citations content custom data
    default defer_loading description detail display document domains effort encrypted_content end_index enum error
    eager_input_streaming examples exclusiveMaximum exclusiveMinimum file file_data file_url fileData fileUri filename
    format function functionCall functionCallingConfig functionDeclarations functionResponse function_call
    generationConfig grammar id image_url include inlineData input input_examples instructions is_error isError items
    json_schema maximum maxItems maxLength media_type metadata mimeType minimum minItems minLength mode name namespace
    nullable output output_config parallel_tool_calls parameters parametersJsonSchema parts pattern phase prefixItems
    properties propertyNames propertyOrdering prompt_cache_key reasoning reasoning_content reasoning_effort refusal
    required response responseJsonSchema responseMimeType responseSchema response_format result role safetySettings
    safety_identifier schema seed service_tier signature source start_index status stop stop_sequences stopSequences
    stream_options strict summary syntax system systemInstruction temperature text thinking thinkingConfig thought
    thoughtSignature thought_signature thread title toolConfig tool_call_id tool_calls tool_choice tool_use_id tools
    top_k topK top_p topP ttl type uniqueItems url user verbosity additionalProperties additional_properties
    $schema $defs $ref definitions const model messages contents previous_response_id background store stream n
    max_tokens max_completion_tokens max_output_tokens maxOutputTokens candidateCount frequency_penalty presence_penalty
    frequencyPenalty presencePenalty logprobs top_logprobs logit_bias truncation dimensions encoding_format modalities
    budget_tokens include_usage responseModalities responseLogprobs input_schema inputSchema outputSchema response_id
    """
FIELDS: Final = frozenset(_FIELDS.split())
"""Names of fields that are not looked into; all others are read like text."""

_VALUES: Final = """
    ANY ARRAY AUTO BOOLEAN INTEGER NONE NUMBER OBJECT STRING VALIDATED adaptive any application/json array assistant
    auto base64 boolean completed computer_screenshot custom custom_tool_call custom_tool_call_output data default
    developer disabled document enabled ephemeral file flex function function_call function_call_output grammar high
    image image/gif image/jpeg image/png image/webp image_url in_progress incomplete input_file input_image input_text
    integer json_object json_schema low max medium message minimal model none null number object output_text reasoning
    reasoning.encrypted_content redacted_thinking refusal required string summary_text system text text/plain thinking
    tool tool_result tool_use url user
    """
VALUES: Final = frozenset(_VALUES.split())
"""Texts that are not looked into, wherever they stand."""
