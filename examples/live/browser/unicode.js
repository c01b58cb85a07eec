// What a browser knows of Unicode, for utf8proc.cpp.
mergeInto(LibraryManager.library, {
  unicode_category: function(code) {
    const names = ['Cn', 'Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'Mn', 'Mc', 'Me', 'Nd', 'Nl', 'No', 'Pc', 'Pd', 'Ps', 'Pe', 'Pi',
                   'Pf', 'Po', 'Sm', 'Sc', 'Sk', 'So', 'Zs', 'Zl', 'Zp', 'Cc', 'Cf', 'Cs', 'Co'];
    Module.categories = Module.categories || names.map(name => new RegExp('\\p{' + name + '}', 'u'));
    const text = String.fromCodePoint(code);
    return Module.categories.findIndex(category => category.test(text));
  },
  unicode_facts: function(code) {
    const text = String.fromCodePoint(code), is = pattern => Number(new RegExp(pattern, 'u').test(text));
    return is('\\p{DI}') | is('\\p{ExtPict}') << 1 | is('[\\p{Mn}\\p{Me}]') << 2;
  },
  unicode_lower: function(code) {
    const lower = String.fromCodePoint(code).toLowerCase();
    return Array.from(lower).length === 1 ? lower.codePointAt(0) : code;
  },
  unicode_break: function(before, after) {
    const text = String.fromCodePoint(before, after);
    if (before === 0x200D && new RegExp('\\p{ExtPict}', 'u').test(String.fromCodePoint(after))) return 0;
    if (!Intl.Segmenter) return Number(!new RegExp('^[^]\\p{M}$', 'u').test(text));
    Module.segmenter = Module.segmenter || new Intl.Segmenter();
    return Number(Array.from(Module.segmenter.segment(text)).length > 1);
  },
  unicode_nfkc__deps: ['$stringToNewUTF8'],
  unicode_nfkc: function(text) { return stringToNewUTF8(UTF8ToString(text).normalize('NFKC')); },
});
