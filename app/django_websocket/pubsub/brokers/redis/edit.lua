-- What has been taken back stays so, and a notice has no content. Then nothing changes, and the answer
-- is nil.
local refused = each(id, function(entry, body)
    local notice = string.find(body, '^[rce]') ~= nil
    return (entry[1] == id and notice) or body == retraction
end)
if refused then return false end
return change()
