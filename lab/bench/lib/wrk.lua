-- What wrk asks, and how it tells what came of it. The plan: method, key, one path a line.
local requests = {}

function init(args)
  local lines = {}
  for line in io.lines(args[1]) do lines[#lines + 1] = line end
  local headers = {}
  if lines[2] ~= "" then headers["Authorization"] = "Bearer " .. lines[2] end
  for i = 3, #lines do requests[#requests + 1] = wrk.format(lines[1], lines[i], headers) end
  math.randomseed(os.time())
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency, _)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    'result {"perSecond":%.1f,"p50Ms":%.4f,"p99Ms":%.4f,"failures":%d}\n',
    summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    failures
  ))
end
