/** Returns a segment of a path with a value in it. */
function segment(prefix«: string», name«: string», value«: PathValue», suffix«: string»)«: string» {
  if (!["string", "number", "bigint"].includes(typeof value) || value === "") {
    throw new TypeError(`the parameter ${name} must be a text that is not empty, or a number`);
  }
  const text = prefix + encodeURIComponent(String(value)) + suffix;
  if (text === "." || text === "..") {
    throw new RangeError(`the parameter ${name} cannot be ${text}: URLs have a meaning for it`);
  }
  return text;
}
