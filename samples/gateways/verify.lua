-- Asks the service beside the gateway whether a request may pass, and says who it is to the upstream.
--
-- Passes: txn.verified is true, and the request has the identity headers. Everything else is answered here:
-- a refusal with the service's own words, and 503 when the service does not answer.

-- What the service reads of a request. It gets nothing else, so that no client's header confuses it.
local ASKED = {
  "authorization", "cookie", "host", "origin", "referer", "accept",
  "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-websocket-key",
  "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
}

-- What the upstream gets to know.
local TOLD = {
  "authorization",
  "x-auth-request-user", "x-auth-request-tenant", "x-auth-request-email", "x-auth-request-preferred-username",
  "x-auth-request-roles", "x-auth-request-groups", "x-auth-request-incomplete",
}

-- What a client gets to see of a refusal.
local SHOWN = {
  "content-type", "www-authenticate", "location", "retry-after", "cache-control", "set-cookie", "vary",
  "content-security-policy", "referrer-policy", "x-content-type-options", "x-frame-options",
}

-- HAProxy's lists of a header's values begin at 0.
local function each(list)
  local values, number = {}, 0
  while list and list[number] do
    values[#values + 1] = list[number]
    number = number + 1
  end
  return values
end

local function refuse(txn, status, headers, body)
  local reply = txn:reply({status = status, body = body})
  for _, name in ipairs(SHOWN) do
    for _, value in ipairs(each(headers[name])) do
      reply:add_header(name, value)
    end
  end
  txn:done(reply)
end

-- The cookies without the session's: the upstream gets the token, and need not have the session.
local function other_cookies(value)
  local kept = {}
  for cookie in value:gmatch("[^;]+") do
    local name = cookie:match("^%s*([^=%s]*)"):gsub("^__Host%-", ""):gsub("^__Secure%-", "")
    name = name:gsub("%-%d+$", "")
    if name ~= "entra_session" and not name:match("^entra_session_[0-9a-z]+$") then
      kept[#kept + 1] = cookie:match("^%s*(.-)%s*$")
    end
  end
  return table.concat(kept, "; ")
end

core.register_action("verify", {"http-req"}, function(txn, service)
  local sent = txn.http:req_get_headers()
  local question = {
    ["x-forwarded-method"] = {txn.f:method()},
    ["x-forwarded-uri"] = {txn.f:pathq()},
  }
  for _, name in ipairs(ASKED) do
    local values = each(sent[name])
    if #values > 0 then
      question[name] = values
    end
  end

  local answer = core.httpclient():get{
    url = "http://" .. service .. "/auth/verify?" .. txn:get_var("txn.demand"),
    headers = question,
    timeout = 10000,
  }
  if not answer or answer.status == 0 then
    return refuse(txn, 503, {["retry-after"] = {[0] = "5"}}, "")
  end
  if answer.status ~= 200 then
    return refuse(txn, answer.status, answer.headers, answer.body)
  end

  -- What clients send under these names must not arrive. Many programs take "_" for "-".
  for name, _ in pairs(sent) do
    local plain = name:lower():gsub("_", "-")
    if plain:match("^x%-auth%-request%-") or plain:match("^x%-entra%-") then
      txn.http:req_del_header(name)
    end
  end
  for _, name in ipairs(TOLD) do
    txn.http:req_set_header(name, answer.headers[name] and answer.headers[name][0] or "")
  end
  if sent["cookie"] then
    local kept = other_cookies(table.concat(each(sent["cookie"]), "; "))
    txn.http:req_del_header("cookie")
    if kept ~= "" then
      txn.http:req_add_header("cookie", kept)
    end
  end
  for number, value in ipairs(each(answer.headers["set-cookie"])) do
    txn:set_var("txn.renewed_" .. number, value)
  end
  txn:set_var("txn.verified", true)
end, 1)
